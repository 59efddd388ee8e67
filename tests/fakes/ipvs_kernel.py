"""A director's IPVS in memory: ipvsadm 1.31 over the tables of a 6.1 kernel.

`FakeIpvs().run(argv, stdin)` answers like the real machine, traps included: edits that
reset what they do not say, ports that are overwritten, a restore that goes on after a
kernel's refusal and exits with the status of its last line. Scripts (`sh`, `awk`) are
really run, with this table in place of the kernel's.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from . import ipvs_print
from .ipvs_argv import V4, Exit, Refused, Request, Server, Service, understand

DEBIAN_12 = frozenset(
    ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
)
EINVAL = "Invalid operation.  Possibly wrong module version, address not unicast, ..."
NOT_FOUND = "Scheduler or persistence engine not found"
PROC = "/proc/net/ip_vs"
#: Of the networks that the rack's directors are attached to.
BROADCASTS = ("10.0.2.255", "10.10.0.255", "10.20.0.255")


@dataclass
class Entry:
    """A service in the kernel. `servers` has the newest first, as the kernel keeps them."""

    service: Service
    servers: list[Server] = field(default_factory=list)
    counters: list[int] = field(default_factory=lambda: [0] * 5)

    def find(self, ident: tuple[int, bytes, int]) -> Server | None:
        return next((server for server in self.servers if server.ident == ident), None)


class FakeIpvs:
    """One network namespace. Not thread-safe.

    `schedulers` are those that the kernel has. `refusals` maps the beginning of an
    `ipvsadm` line to the kernel's answer to it; `log` has every line that was run.
    """

    def __init__(self, hz: int = 250, schedulers: Iterable[str] = DEBIAN_12) -> None:
        self.hz = hz
        self.schedulers = frozenset(schedulers)
        self.entries: dict[tuple[object, ...], Entry] = {}
        self.timeouts = [900, 120, 300]
        self.daemons: dict[str, tuple[str, int]] = {}
        self.interfaces = {"eth0", "eth1", "eth2"}
        self.refusals: dict[str, str] = {}
        self.log: list[str] = []

    def run(self, argv: tuple[str, ...], stdin: bytes | None = None) -> tuple[int, str, str]:
        """Run one command: (exit code, standard output, standard error)."""
        if argv[0] == "ipvsadm":
            return self._ipvsadm(list(argv[1:]), (stdin or b"").decode())
        if argv == ("cat", PROC):
            return 0, self.proc_text(), ""
        if argv[0] in ("sh", "awk"):
            return self._script(argv, stdin or b"")
        return 127, "", f"{argv[0]}: command not found\n"

    def load(self, text: str) -> None:
        """Restore the lines, which must all be accepted."""
        code, _, said = self.run(("ipvsadm", "-R"), text.encode())
        assert (code, said) == (0, ""), said

    def reboot(self) -> None:
        """Lose what a kernel loses."""
        self.__init__(self.hz, self.schedulers)  # type: ignore[misc]

    def server(self, service: str, real_server: str) -> Server:
        """The record of a real server, to set its connections and counters:
        `fake.server("-t 10.0.0.1:80", "10.1.0.1:80").active = 3`."""
        request = understand(["-d", *service.split(), "-r", real_server])
        assert request.service is not None
        assert request.server is not None
        found = self.entries[request.service.ident].find(request.server.ident)
        assert found is not None, f"{service} has no {real_server}"
        return found

    def proc_text(self) -> str:
        """/proc/net/ip_vs."""
        return ipvs_print.proc(self._hashed(), self.hz)

    def totals_text(self) -> str:
        """/proc/net/ip_vs_stats: here the sum of what the services count."""
        return ipvs_print.totals(self._hashed())

    def save_text(self) -> str:
        """`ipvsadm -S -n`."""
        return ipvs_print.save(self._sorted())

    def listing(self, view: str = "") -> str:
        """`ipvsadm -Ln`, or one of its views ("thresholds", "stats", ...)."""
        return ipvs_print.listing(self._sorted(), view, banner=True)

    def _hashed(self) -> list[Entry]:
        """Services before marks, each chain of the hash newest first."""
        numbered = list(enumerate(self.entries.values()))
        numbered.sort(key=lambda at: (bool(at[1].service.mark), _bucket(at[1].service), -at[0]))
        return [entry for _, entry in numbered]

    def _sorted(self) -> list[Entry]:
        return ipvs_print.by_service(self.entries.values())

    def _ipvsadm(self, words: list[str], stdin: str) -> tuple[int, str, str]:
        out: list[str] = []
        said: list[str] = []
        try:
            code = self._one(words, stdin, out, said)
        except Exit as end:
            code = end.code
            said.append(str(end))
        return code, "".join(out), "".join(f"{line}\n" for line in said)

    def _one(self, words: list[str], stdin: str, out: list[str], said: list[str]) -> int:
        """Run one command line; the exit code. Raises Exit."""
        if not words:
            out.append(self.listing())
            return 0
        try:
            request = understand(words)
            if request.command == "R":
                return self._restore(stdin, out, said)
            line = " ".join(words)
            self.log.append(line)
            for beginning, answer in self.refusals.items():
                if line.startswith(beginning):
                    raise Refused(answer)
            self._do(request, out)
        except Refused as refusal:
            said.append(str(refusal))
            return 255
        return 0

    def _restore(self, stdin: str, out: list[str], said: list[str]) -> int:
        code = 0
        for line in stdin.splitlines():
            if line.split():
                code = self._one(line.split(), "", out, said)
        return code

    def _do(self, request: Request, out: list[str]) -> None:
        command = request.command
        if command == "C":
            self.entries.clear()
        elif command in ("A", "E", "D"):
            self._change_service(command, request.service)
        elif command in ("a", "e", "d"):
            self._change_server(command, request.service, request.server)
        elif command == "S":
            out.append(self.save_text())
        elif command == "L":
            out.append(self._list(request))
        elif command == "v":
            out.append("ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n")
        elif command == "set":
            self._set_timeouts(request.arguments)
        elif command == "Z":
            for entry in self.entries.values():
                entry.counters = [0] * 5
                for server in entry.servers:
                    server.counters = [0] * 5
        else:
            self._daemon(request)

    def _change_service(self, command: str, service: Service | None) -> None:
        assert service is not None
        there = self.entries.get(service.ident)
        if command != "A" and there is None:
            raise Refused("No such service")
        if command == "A" and there is not None:
            raise Refused("Service already exists")
        if command == "D":
            del self.entries[service.ident]
            return
        if service.scheduler not in self.schedulers or service.pe not in ("", "sip"):
            raise Refused(NOT_FOUND)
        if there is None:
            self.entries[service.ident] = Entry(service)
        else:
            there.service = service

    def _change_server(self, command: str, service: Service | None, server: Server | None) -> None:
        assert service is not None
        assert server is not None
        entry = self.entries.get(service.ident)
        if entry is None:
            raise Refused("Service not defined")
        there = entry.find(server.ident)
        if command != "a" and there is None:
            raise Refused("No such destination")
        if command == "d":
            entry.servers.remove(there)  # type: ignore[arg-type]
            return
        if server.af != service.af and self.daemons:
            raise Refused(EINVAL)
        if server.lower > server.upper:
            raise Refused("Numerical result out of range")
        if command == "a":
            if there is not None:
                raise Refused("Destination already exists")
            if not _is_unicast(server):
                raise Refused(EINVAL)
            entry.servers.insert(0, server)
        elif there is not None:
            server.active, server.inactive = there.active, there.inactive
            server.counters = there.counters
            entry.servers[entry.servers.index(there)] = server

    def _list(self, request: Request) -> str:
        given = request.options
        assert "numeric" in given or given.keys() & {"timeout", "daemon"}, (
            "the console reads with -n"
        )
        if "timeout" in given:
            return "Timeout (tcp tcpfin udp): {} {} {}\n".format(*self.timeouts)
        if "daemon" in given:
            return "".join(
                f"{role} sync daemon (mcast={interface}, syncid={syncid}, maxlen=1472, "
                "group=224.0.0.81, port=8848, ttl=1)\n"
                for role, (interface, syncid) in sorted(self.daemons.items(), reverse=True)
            )
        view = next((name for name in ipvs_print.HEADINGS if name in given), "")
        if request.service is None:
            return self.listing(view)
        entry = self.entries.get(request.service.ident)
        if entry is None:
            raise Exit(1, "No such service")
        return ipvs_print.listing([entry], view, banner=False)

    def _set_timeouts(self, arguments: list[str]) -> None:
        if len(arguments) != 3:
            raise Exit(2, "--set option requires 3 timeout values")
        for index, text in enumerate(arguments):
            if not text.isdigit() or int(text) > 31 * 86400:
                raise Exit(2, f"invalid timeout value `{text}' specified")
            self.timeouts[index] = int(text) or self.timeouts[index]

    def _daemon(self, request: Request) -> None:
        role = request.role
        if request.command == "stop":
            if self.daemons.pop(role, None) is None:
                raise Refused("No daemon is running")
            return
        if role in self.daemons:
            raise Refused("Daemon has already run")
        is_mixed = any(
            server.af != entry.service.af
            for entry in self.entries.values()
            for server in entry.servers
        )
        if request.options.get("mcast-interface", "eth0") not in self.interfaces or is_mixed:
            raise Refused(EINVAL)
        syncid = int(request.options.get("syncid", "255"))
        self.daemons[role] = (request.options.get("mcast-interface", "eth0"), syncid)

    def _script(self, argv: tuple[str, ...], stdin: bytes) -> tuple[int, str, str]:
        """Really run a script. It sees this table under /proc, and this ipvsadm."""
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            (place / "ip_vs").write_text(self.proc_text())
            (place / "state").write_bytes(pickle.dumps(self.__dict__))
            tool = place / "ipvsadm"
            tool.write_text(
                f'#!/bin/sh\nexec {sys.executable} -m {__spec__.name} {place}/state "$@"\n'
            )
            tool.chmod(0o755)
            done = subprocess.run(
                [word.replace(PROC, f"{place}/ip_vs") for word in argv],
                input=stdin,
                capture_output=True,
                cwd=Path(__file__).parents[2],
                env={"PATH": f"{place}:/usr/bin:/bin", "LC_ALL": "C"},
                check=False,
            )
            self.__dict__.update(pickle.loads((place / "state").read_bytes()))
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def _bucket(service: Service) -> int:
    return (crc32(service.address) + service.port + service.mark) % 256


def _is_unicast(server: Server) -> bool:
    address = server.address
    if server.af == V4:
        return not (
            0xE0 <= address[0] < 0xF0
            or address in (bytes(4), b"\xff" * 4)
            or socket.inet_ntop(V4, address) in BROADCASTS
        )
    is_mapped = address[:12] == bytes(10) + b"\xff\xff"
    is_link_local = address[:2] == b"\xfe\x80"
    return not (address[0] == 0xFF or address == bytes(16) or is_mapped or is_link_local)


def main() -> None:
    """Serve one `ipvsadm` of a script: STATE-FILE WORDS."""
    state = Path(sys.argv[1])
    fake = FakeIpvs()
    fake.__dict__.update(pickle.loads(state.read_bytes()))
    stdin = sys.stdin.buffer.read() if "-R" in sys.argv else None
    code, out, said = fake.run(("ipvsadm", *sys.argv[2:]), stdin)
    state.write_bytes(pickle.dumps(fake.__dict__))
    sys.stdout.write(out)
    sys.stderr.write(said)
    sys.exit(code)


if __name__ == "__main__":
    # Under its own name, so that what it pickles can be read by whoever imported it.
    from tests.fakes import ipvs_kernel

    ipvs_kernel.main()
