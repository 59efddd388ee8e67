"""A whole director without a network: its IPVS, interfaces, sysctls, files and units.

Scripts are really run, by `sh`, with small tools of the fake's own on the PATH and a
directory of its own in place of /etc, /proc and /run. Its table is `FakeIpvs`, which
shares no code with the console.
"""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from console.remote.transport import HostUnreachable, OutcomeUnknown, RemoteError, Result
from tests.fakes import sysctl_tool
from tests.fakes.ipvs_kernel import FakeIpvs
from tests.fakes.transport import Answer, Call, FakeTransport

_REPOSITORY = Path(__file__).parents[2]
_PLACES = ("/etc/", "/proc/net/", "/proc/sys/", "/run/", "/var/lib/evenkeel")


class FakeDirector(FakeTransport):
    """One machine with one table. `table` is changed by hand as an operator would."""

    def __init__(self, machine: str, root: Path, interfaces: dict[str, list[str]]) -> None:
        super().__init__(machine)
        self.root = root
        self.table = FakeIpvs()
        for name in ("bin", "etc/systemd/system", "proc/net", "proc/sys/net/ipv4", "run", "timers",
                     "proc/sys/net/ipv6/conf/all"):  # fmt: skip
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "proc/sys/net/ipv4/ip_forward").write_text("0\n")
        (root / "proc/sys/net/ipv6/conf/all/forwarding").write_text("0\n")
        sysctl_tool.boot(root / "proc/sys")
        self.addresses = interfaces
        #: While the machine holds this address, nobody reaches it.
        self.cut_by = ""
        self._write_tools()
        self.on((), self._execute)

    @property
    def addresses(self) -> dict[str, list[str]]:
        """{interface: ["10.0.0.1/24", ...]}; "routes" has the networks delivered locally."""
        return json.loads((self.root / "addresses").read_text())

    @addresses.setter
    def addresses(self, held: dict[str, list[str]]) -> None:
        (self.root / "addresses").write_text(json.dumps(held))

    def read(self, path: str) -> str:
        """A file on the machine."""
        return (self.root / path.lstrip("/")).read_text()

    def setting(self, name: str) -> str:
        """What the kernel has under net.ipv4.vs."""
        return self.read(f"/proc/sys/net/ipv4/vs/{name}").strip()

    def set(self, name: str, value: str) -> None:
        """Change a setting under net.ipv4.vs by hand."""
        (self.root / "proc/sys/net/ipv4/vs" / name).write_text(f"{value}\n")

    def nft(self, text: str) -> None:
        """Run nft by hand."""
        done = self._shell(("nft", "-f", "-"), text.encode())
        assert done.returncode == 0, done.stderr

    @property
    def nft_elements(self) -> dict[str, int]:
        """How many elements each set of our nftables table has; empty without the table."""
        store = self.root / "nft"
        tables = json.loads(store.read_text()) if store.exists() else {}
        return {
            name: len(held["elements"])
            for name, held in tables.get("inet evenkeel_lvs", {}).items()
            if "elements" in held
        }

    def write(self, path: str, text: str) -> None:
        """A file on the machine, or what a tool of its own name prints ("ps", "units")."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def reboot(self) -> None:
        """Lose what a kernel loses, then start the unit if it is enabled."""
        self.table.reboot()
        shutil.rmtree(self.root / "run")
        (self.root / "run").mkdir()
        for name in self.timers:
            (self.root / "timers" / name).unlink()
        self.addresses = {
            name: [one for one in held if not one.endswith(("/32", "/128"))]
            for name, held in self.addresses.items()
            if name != "routes"
        }
        (self.root / "proc/sys/net/ipv4/ip_forward").write_text("0\n")
        sysctl_tool.boot(self.root / "proc/sys")
        (self.root / "nft").unlink(missing_ok=True)
        unit = self.root / "etc/systemd/system/evenkeel-ipvs.service"
        if not (self.root / "enabled").exists() or not unit.exists():
            return
        for line in unit.read_text().splitlines():
            if line.startswith("ExecStart="):
                self._shell(("sh", "-c", line.split("=", 1)[1].lstrip("-")), b"")

    @property
    def timers(self) -> dict[str, str]:
        """{unit: "SECONDS COMMAND"} of what systemd is to start."""
        found = (self.root / "timers").glob("*")
        return {path.name: path.read_text().strip().replace(str(self.root), "") for path in found}

    def elapse(self) -> None:
        """Let the time of every timer come."""
        for unit, command in self.timers.items():
            (self.root / "timers" / unit).unlink()
            self._shell(tuple(command.split()[1:]), b"")

    def run(self, argv: tuple[str, ...], **options: Any) -> Result:
        self._require_way(HostUnreachable, argv)
        result = super().run(argv, **options)
        self._require_way(OutcomeUnknown, argv)
        return result

    def _require_way(self, kind: type[RemoteError], argv: tuple[str, ...]) -> None:
        held = [one.split("/")[0] for held in self.addresses.values() for one in held]
        if self.cut_by and self.cut_by in held:
            raise kind(self.machine, "no answer", argv=argv)

    def _check_fence(self, call: Call) -> None:
        """The undo raises the number too, in the file that the real fence keeps."""
        if call.fence is not None:
            path = self.root / "var/lib/evenkeel/fence" / call.fence.scope
            raised = int(path.read_text()) if path.exists() else 0
            self.fences[call.fence.scope] = max(raised, self.fences.get(call.fence.scope, 0))
        super()._check_fence(call)

    def _execute(self, call: Call) -> Answer:
        done = self._shell(call.argv, call.stdin or b"")
        return Answer(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def _shell(self, argv: tuple[str, ...], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
        (self.root / "proc/net/ip_vs").write_text(self.table.proc_text())
        (self.root / "proc/net/ip_vs_stats").write_text(self.table.totals_text())
        state = self.root / "state"
        state.write_bytes(pickle.dumps(self.table.__dict__))
        done = subprocess.run(
            [self._moved(word) for word in argv],
            input=self._moved(stdin.decode()).encode() if argv[-1] == "-s" else stdin,
            capture_output=True,
            cwd=_REPOSITORY,
            env={
                "PATH": f"{self.root}/bin:/usr/bin:/bin",
                "LC_ALL": "C",
                "PYTHONPATH": str(_REPOSITORY),
            },
            check=False,
        )
        self.table.__dict__.update(pickle.loads(state.read_bytes()))
        for path in (self.root / "etc").rglob("*"):
            if path.is_file() and str(self.root) in (text := path.read_text()):
                path.write_text(text.replace(str(self.root), ""))
        done.stdout = done.stdout.replace(str(self.root).encode(), b"")
        return done

    def _moved(self, text: str) -> str:
        for place in _PLACES:
            text = text.replace(place, f"{self.root}{place}")
        return text

    def _write_tools(self) -> None:
        self._tool("ipvsadm", f'exec {sys.executable} -m tests.fakes.ipvs_kernel'
                              f' {self.root}/state "$@"')  # fmt: skip
        self._tool("ip", f'exec {sys.executable} -m tests.fakes.ip_tool {self.root}/addresses "$@"')
        for name, module, state in (("sysctl", "sysctl_tool", "proc/sys"),
                                    ("nft", "nft_tool", "nft")):  # fmt: skip
            self._tool(name, f'exec {sys.executable} -m tests.fakes.{module}'
                             f' {self.root}/{state} "$@"')  # fmt: skip
        self._tool(
            "systemctl",
            f"case $1 in stop) rm -f {self.root}/timers/${{2%.timer}}; exit 0;;"
            f" show) cat {self.root}/units 2>/dev/null; exit 0;; esac\n"
            f"case $2 in enable) touch {self.root}/enabled;; disable) rm -f {self.root}/enabled;;"
            f" is-enabled) if [ -e {self.root}/enabled ]; then echo enabled; else echo disabled;"
            " exit 1; fi;; esac",
        )
        self._tool(
            "systemd-run",
            "while :; do case $1 in --on-active=*) s=${1#*=};; --unit=*) u=${1#*=};; -*) ;;"
            f' *) break;; esac; shift; done\necho "$s $*" > "{self.root}/timers/$u"',
        )
        self._tool("uname", "echo 6.1.0-fake")
        self._tool("base64", f'sed "s#{self.root}##g" | /usr/bin/base64 "$@"')
        for name in ("ps", "iptables-save", "ip6tables-save"):
            self._tool(name, f"cat {self.root}/{name} 2>/dev/null")

    def _tool(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
