"""The preflight over the console's own transport: what it says of the rack is true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from console.preflight import (
    MAX_OUTPUT,
    TIMEOUT,
    Facts,
    Finding,
    Role,
    Status,
    argv,
    check,
    parse,
    probe_script,
    suggest_roles,
    summary,
)
from console.remote.ssh import connect
from console.remote.transport import Endpoint
from lab.rack import Rack


class Look(NamedTuple):
    facts: Facts
    findings: list[Finding]

    def one(self, code: str) -> Finding:
        (found,) = (finding for finding in self.findings if finding.code == code)
        return found

    def missing(self, *roles: Role) -> list[str]:
        """Codes of what is missing for these roles."""
        return [f.code for f in self.findings if f.status is Status.MISSING and f.role in roles]


def look_at(rack: Rack, name: str, username: str = "root", shell: tuple[str, ...] = ()) -> Look:
    """One preflight of a machine of the rack, with the console's transport."""
    node = rack.node(name)
    endpoint = Endpoint(
        *(name, node.address, node.port, username, "key", Path(node.key_path).read_text()),
        host_key=node.host_key,
    )
    with connect(endpoint) as connection:
        sent_at = datetime.now(UTC)
        result = connection.run(
            (*shell, *argv()), stdin=probe_script(), timeout=TIMEOUT, max_output=MAX_OUTPUT
        )
        received_at = datetime.now(UTC)
    assert result.ok, result
    facts = parse(result.stdout)
    return Look(facts, check(facts, username=username, sent_at=sent_at, received_at=received_at))


@pytest.fixture(scope="module")
def lb1(rack: Rack) -> Look:
    return look_at(rack, "lb1")


@pytest.fixture(scope="module")
def hv1(rack: Rack) -> Look:
    return look_at(rack, "hv1")


def test_a_director_lacks_nothing(lb1: Look) -> None:
    assert lb1.missing(Role.HOST, Role.DIRECTOR) == []
    assert summary(lb1.findings)["director"] != "not-ready"
    assert Role.DIRECTOR in suggest_roles(lb1.facts)
    assert lb1.one("ipvsadm").text() == "ipvsadm 1.31 is installed."
    assert lb1.one("ip-vs").text() == "ip_vs is loaded."
    assert "10.10.0.1/24" in lb1.one("interfaces").text()


def test_every_scheduler_that_is_offered_can_be_used_and_twos_cannot(rack: Rack, lb1: Look) -> None:
    offered = lb1.facts.ipvs.schedulers
    assert offered is not None
    assert {"wlc", "mh", "rr", "sh"} <= set(offered)
    assert "twos" not in offered
    script = "for s in %s; do ipvsadm -A -f 1 -s $s 2>/dev/null && echo $s; ipvsadm -C; done"
    tried = " ".join([*offered, "twos"])
    said = rack.run("lb1", ["unshare", "-n", "sh", "-c", script % tried]).stdout
    assert tuple(said.split()) == offered


def test_the_table_and_its_size_are_the_kernels(rack: Rack, lb1: Look) -> None:
    heading = rack.run("lb1", ["ipvsadm", "-Ln"]).stdout.split("\n")[0]
    assert f"(size={lb1.facts.ipvs.buckets})" in heading
    services = rack.run("lb1", ["sh", "-c", "ipvsadm -S -n | grep -c ^-A || :"]).stdout
    assert lb1.facts.ipvs.services == int(services)


def test_a_real_server_for_direct_routing_keeps_quiet(rack: Rack) -> None:
    rs1 = look_at(rack, "rs1")
    assert rs1.missing(Role.HOST, Role.REAL_SERVER) == []
    assert rs1.one("arp").text().startswith("It keeps quiet")
    assert rs1.one("arp").status is Status.OK


def test_a_real_server_that_would_steal_its_address_is_told_so(rack: Rack) -> None:
    rack.run("rs1", ["sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=0"])
    try:
        finding = look_at(rack, "rs1").one("arp")
    finally:
        rack.run("rs1", ["sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1"])
    assert finding.status is Status.WARNING
    assert "10.10.0.80" in finding.text()


def test_a_hypervisor_has_both_drivers_and_no_kvm(rack: Rack, hv1: Look) -> None:
    assert hv1.one("driver-lxc").status is Status.OK
    assert hv1.one("driver-qemu").status is Status.OK
    assert hv1.one("kvm").status is Status.WARNING
    assert "emulation" in hv1.one("kvm").text()
    said = rack.run("hv1", ["virsh", "-c", "lxc:///system", "version"]).stdout
    assert f"Using library: libvirt {hv1.one('libvirt').params['version']}" in said
    assert "int0" in hv1.one("bridges").text()
    assert hv1.one("cgroup").text().startswith("cgroup version 2")


def test_the_clock_is_the_racks(lb1: Look) -> None:
    clock = lb1.one("clock")
    assert clock.status in (Status.OK, Status.WARNING)  # emulated: it may be off, and is known
    assert lb1.facts.clock.resolution == 0


def test_a_user_with_sudo_gets_the_same_answer(rack: Rack, lb1: Look) -> None:
    found = look_at(rack, "lb1", "evenkeel")
    assert found.one("privileges").text().startswith("The console logs in as evenkeel, and sudo")
    assert found.facts.identity.sudo_user == "evenkeel"
    assert found.facts.tools == lb1.facts.tools
    assert found.facts.ipvs == lb1.facts.ipvs


def test_busybox_reads_the_same_with_programs_of_its_own(rack: Rack, lb1: Look) -> None:
    """Its shell takes its own programs first; its `ip` knows no JSON, and that is said."""
    found = look_at(rack, "lb1", shell=("busybox",))
    assert found.facts.kernel == lb1.facts.kernel
    assert found.facts.ipvs == lb1.facts.ipvs
    assert found.facts.cgroup == lb1.facts.cgroup
    assert found.facts.network.sysctls == lb1.facts.network.sysctls
    assert {tool.name for tool in found.facts.tools} == {tool.name for tool in lb1.facts.tools}
    assert found.missing(Role.HOST) == ["interfaces"]
    assert "apt-get install -y iproute2" in found.one("interfaces").remedy_text()


def test_a_look_changes_nothing(rack: Rack) -> None:
    """The modules, the table and the files of the machine are the same afterwards."""
    script = "cut -d' ' -f1 /proc/modules; ipvsadm -S -n; find /etc /var/lib -type f -newer /tmp/x"
    rack.run("lb1", ["touch", "/tmp/x"])
    before = rack.run("lb1", ["sh", "-c", script]).stdout
    look_at(rack, "lb1")
    assert rack.run("lb1", ["sh", "-c", script]).stdout == before


@contextmanager
def keepalived(rack: Rack, configuration: str) -> Iterator[None]:
    """keepalived with a configuration on lb1, for as long as the block lasts."""
    path = "/etc/keepalived/keepalived.conf"
    rack.run("lb1", ["tee", path], given=configuration)
    rack.run("lb1", ["systemd-run", "--unit=lab-keepalived", "keepalived", "-n", "-f", path])
    try:
        yield
    finally:
        rack.run("lb1", ["systemctl", "stop", "lab-keepalived"])
        rack.run("lb1", ["rm", path])


def test_a_keepalived_that_writes_the_table_is_a_second_writer_there_and_only_there(
    rack: Rack,
) -> None:
    """lb1 is a container on hv1, so that its keepalived shows up in hv1's /proc as well."""
    with keepalived(rack, "virtual_server 10.10.0.199 80 {\n  lvs_method NAT\n}\n"):
        finding = look_at(rack, "lb1").one("second-writer")
        assert rack.run("hv1", ["pgrep", "-x", "keepalived"]).stdout
        assert look_at(rack, "hv1").facts.ipvs.writers == ()
    assert finding.status is Status.WARNING
    assert "keepalived is running" in finding.text()


def test_what_only_moves_addresses_and_what_restores_a_table_are_told(rack: Rack) -> None:
    vrrp = "vrrp_instance a {\n  interface pub0\n  virtual_router_id 99\n  state BACKUP\n}\n"
    defaults = rack.run("lb1", ["cat", "/etc/default/ipvsadm"]).stdout
    rack.run("lb1", ["sed", "-i", 's/^AUTO=.*/AUTO="true"/', "/etc/default/ipvsadm"])
    try:
        with keepalived(rack, vrrp):
            look = look_at(rack, "lb1")
        restoring = look.one("boot-restore")
        rack.run("lb1", ["sh", "-c", str(restoring.params["command"])])
        assert 'AUTO="false"' in rack.run("lb1", ["cat", "/etc/default/ipvsadm"]).stdout
    finally:
        rack.run("lb1", ["tee", "/etc/default/ipvsadm"], given=defaults)
    assert look.one("second-writer").status is Status.OK
    assert "only moves addresses" in look.one("second-writer").text()
    assert restoring.status is Status.WARNING
