"""keepalived on a director of the rack, for the benchmarks against it.

Its times are taken on the director by its own clock, with no SSH in them: from the signal or
the start until the kernel's table shows the change. Its checks are what makes its reload
slow, so both are measured: without any check, which nobody runs, and with the least there
is, a TCP connection to each real server once in ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.director import Bench, bench_on_rack

SERVERS = 2
#: Real servers that answer, so that keepalived keeps them in its table.
_RIPS = ("10.20.0.11", "10.20.0.12")
_VIPS = 40
_FILE = "/etc/keepalived/keepalived.conf"
_WEIGHT = 100

_DECLARE = """
from lvs.models import *
director = Director.objects.get()
VirtualService.objects.all().delete()
services = VirtualService.objects.bulk_create([
    VirtualService(director=director, name=f"s{{n}}", vip=f"10.10.1.{{n % {vips} + 1}}",
                   port=1000 + n // {vips}, scheduler="wlc", is_vip_managed=False)
    for n in range({services})])
RealServer.objects.bulk_create([
    RealServer(virtual_service=service, rip=rip, port=80, weight={weight})
    for service in services for rip in {rips}], batch_size=5000)
"""
_SERVICE = """\
virtual_server 10.10.1.{host} {port} {{
    delay_loop 600
    lvs_sched wlc
    lvs_method NAT
    protocol TCP
{servers}}}
"""
_SERVER = """\
    real_server {rip} 80 {{
        weight {weight}
{check}    }}
"""
_CHECK = """\
        TCP_CHECK {
            connect_timeout 20
            warmup 0
        }
"""
#: Until the table has so many services, or the first one this weight; in seconds.
_START = """
began=$(date +%s.%N)
keepalived -C -n -f {file} > /dev/null 2>&1 &
echo $! > /run/bench-keepalived.pid
until [ "$(grep -c '^TCP' /proc/net/ip_vs)" -ge {services} ] &&
      [ "$(grep -c -e '->' /proc/net/ip_vs)" -gt {servers} ]; do sleep 0.2; done
echo "$(date +%s.%N) $began" | awk '{{ print $1 - $2 }}'
"""
_RELOAD = """
awk -v w={weight} '!done && /weight/ {{ sub(/weight [0-9]+/, "weight " w); done = 1 }} 1' \\
  {file} > {file}.new && mv {file}.new {file}
sync
began=$(date +%s.%N)
kill -HUP $(cat /run/bench-keepalived.pid)
until ipvsadm -Ln -t 10.10.1.1:1000 | grep -q ' {weight} '; do sleep 0.05; done
echo "$(date +%s.%N) $began" | awk '{{ print $1 - $2 }}'
"""
_PATIENCE = 900.0


class Pair:
    """A director that is keepalived's or the console's, with the same services."""

    def __init__(self, bench: Bench, services: int, *, has_checks: bool) -> None:
        self.bench, self.services, self.has_checks = bench, services, has_checks

    def fresh(self) -> None:
        """The director as it booted, and a console that has applied nothing."""
        self.bench.forget()

    def declare(self) -> None:
        """The services, in the console's database."""
        code = _DECLARE.format(vips=_VIPS, services=self.services, weight=_WEIGHT, rips=_RIPS)
        self.bench.console.manage("shell", "-v", "0", "-c", code)

    def start_keepalived(self) -> float:
        """Seconds from its start until the whole table is there."""
        self._on_director(f"cat > {_FILE}", given=self._configuration())
        self._on_director("sysctl -qw net.ipv4.ip_forward=1")
        return self._seconds(
            _START.format(file=_FILE, services=self.services, servers=self.services * SERVERS)
        )

    def reload_keepalived(self, weight: int) -> float:
        """Seconds from SIGHUP until the kernel has another weight for one real server."""
        return self._seconds(_RELOAD.format(file=_FILE, weight=weight))

    def change_weight(self, weight: int) -> float:
        """Seconds from the request until the console has seen the change in place."""
        found = self.bench.console.call("GET", "lvs/virtual-services/?q=s0&limit=1")
        service = found.body["results"][0]
        return self.bench.set_weight(service["real_servers"][0]["id"], weight)

    def apply(self) -> float:
        """Seconds from the request until the whole table is seen in place."""
        return self.bench.apply()

    def _configuration(self) -> str:
        check = _CHECK if self.has_checks else ""
        servers = "".join(_SERVER.format(rip=rip, weight=_WEIGHT, check=check) for rip in _RIPS)
        return "".join(
            _SERVICE.format(host=n % _VIPS + 1, port=1000 + n // _VIPS, servers=servers)
            for n in range(self.services)
        )

    def _seconds(self, script: str) -> float:
        return float(self._on_director(script).strip().splitlines()[-1])

    def _on_director(self, script: str, given: str | None = None) -> str:
        return self.bench.rack.run(
            "lb1", ["sh", "-c", script], given=given, timeout=_PATIENCE
        ).stdout


@contextmanager
def against_keepalived(services: int, *, has_checks: bool) -> Iterator[Pair]:
    """A rack, a console and so many services."""
    with bench_on_rack() as bench:
        pair = Pair(bench, services, has_checks=has_checks)
        pair.declare()
        yield pair
