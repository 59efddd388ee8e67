"""A real server without a network: addresses, interfaces, sysctls, rules, files.

It understands the lines that are run on real servers, in its own small way, refuses what the
real tools refuse, and answers the look as the tools print it. It shares no code with the
console's parsers.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import zlib

from tests.fakes.transport import Answer, Call, FakeTransport

_DEVICES = {"ipip": "tunl0", "ip_gre": "gre0", "ip6_gre": "ip6gre0", "sit": "sit0",
            "ip6_tunnel": "ip6tnl0"}  # fmt: skip
_RECORD = "/etc/evenkeel/realserver.before"


class FakeRealServer(FakeTransport):
    """One machine with `eth0`. Changed by hand as an operator would."""

    def __init__(self, machine: str, *addresses: str, gateway: str = "10.20.0.254") -> None:
        super().__init__(machine)
        self.gateway = gateway
        self.addresses: dict[str, list[str]] = {
            "lo": ["127.0.0.1/8", "::1/128"],
            "eth0": list(addresses),
        }
        self.up = {"lo", "eth0"}
        self.settings = {
            f"{name}.{setting}": 0
            for name in ("all", "default", "lo", "eth0")
            for setting in ("arp_ignore", "arp_announce", "rp_filter")
        }
        self.rules: set[str] = set()
        self.tables: dict[str, str] = {}
        self.networks: set[str] = set()
        self.gue: set[str] = set()
        self.nft = ""
        self.files: dict[str, str] = {}
        self.is_enabled = False
        self.connections: dict[str, int] = {}
        self.on(("sh", "-s"), self._look)
        self.on(("sh", "-e", "-s"), lambda call: self._run(call.text))
        self.on(("sh", "-e", "-c"), self._remember)
        self.on(("sh", "-c"), self._forget)

    @property
    def state(self) -> object:
        """All that a preparation may touch, to be compared."""
        return json.loads(
            json.dumps(
                [self.addresses, sorted(self.up), self.settings, sorted(self.rules), self.tables,
                 sorted(self.networks), sorted(self.gue), self.nft, self.files, self.is_enabled]
            )
        )  # fmt: skip

    def reboot(self) -> None:
        """Lose what a kernel loses, then start the unit if it is enabled."""
        fresh = FakeRealServer(self.machine, *self.addresses["eth0"], gateway=self.gateway)
        for name in ("addresses", "up", "settings", "rules", "tables", "networks", "gue", "nft"):
            setattr(self, name, getattr(fresh, name))
        if self.is_enabled:
            self._run(self.files["/etc/evenkeel/realserver.sh"])

    def _remember(self, call: Call) -> Answer:
        kept = self.files.get(_RECORD, "")
        for line in call.text.splitlines():
            kind, name = line.split()
            if f"{kind} {name} " not in kept:
                kept += f"{kind} {name} {self._was(kind, name)}\n"
        self.files[_RECORD] = kept
        return Answer()

    def _was(self, kind: str, name: str) -> str:
        if kind == "setting":
            return str(self.settings.get(name.removeprefix("net.ipv4.conf."), "absent"))
        if kind == "link":
            return "up" if name in self.up else "down"
        if kind == "address":
            held = {one.partition("/")[0] for one in self.addresses["lo"]}
            return "present" if name in held else "absent"
        return "present" if kind == "gue" and name in self.gue else "absent"

    def _forget(self, call: Call) -> Answer:
        gone = call.text.splitlines()
        kept = [line for line in self.files[_RECORD].splitlines() if line not in gone]
        self.files[_RECORD] = "".join(f"{line}\n" for line in kept)
        return Answer()

    def _run(self, text: str) -> Answer:
        lines = iter(text.splitlines())
        for line in lines:
            if match := re.fullmatch(r"cat > (\S+)\.new <<'@@'", line):
                body = "".join(f"{one}\n" for one in iter(lines.__next__, "@@"))
                self.files[match[1]] = body
            elif said := self._command(line):
                return Answer(stderr=said, exit_code=1)
        return Answer()

    def _command(self, line: str) -> str:
        """What the command says when it refuses."""
        line = line.rpartition(" || ip")[2] and line
        guard, _, rest = line.rpartition(" || ")
        if guard and rest != ":":
            if guard.startswith("ip link show") and guard.split()[4] in self.addresses:
                return ""
            line = rest
        elif rest == ":":
            self._command(guard.partition(" 2>")[0])
            return ""
        words = shlex.split(line)
        if not words or words[0].startswith("#"):
            return ""
        six = words[:2] == ["ip", "-6"]
        if six:
            del words[1]
        handler = getattr(self, f"_{words[0].replace('-', '_')}", None)
        return handler(words[1:], six) or "" if handler else ""

    def _sysctl(self, words: list[str], _six: bool) -> str | None:
        name, _, value = words[-1].partition("=")
        name = name.removeprefix("net.ipv4.conf.")
        if name not in self.settings:
            return f"sysctl: cannot stat /proc/sys/net/ipv4/conf/{name}: No such file or directory"
        self.settings[name] = int(value)
        return None

    def _modprobe(self, words: list[str], _six: bool) -> None:
        if device := _DEVICES.get(words[-1]):
            self._make(device)

    def _make(self, device: str) -> None:
        self.addresses.setdefault(device, [])
        for setting in ("arp_ignore", "arp_announce", "rp_filter"):
            self.settings.setdefault(f"{device}.{setting}", 0)

    def _nft(self, words: list[str], _six: bool) -> str | None:
        if words[0] == "-f":
            self.nft = self.files[words[1]].rpartition("table inet")[2]
        elif not self.nft:
            return "Error: No such file or directory"
        else:
            self.nft = ""
        return None

    def _systemctl(self, words: list[str], _six: bool) -> None:
        self.is_enabled = "enable" in words

    def _rm(self, words: list[str], _six: bool) -> None:
        for path in words:
            self.files.pop(path, None)

    def _ip(self, words: list[str], six: bool) -> str | None:
        handler = getattr(self, f"_ip_{words[0]}")
        said: str | None = handler(words[1:], six)
        return said

    def _ip_address(self, words: list[str], _six: bool) -> str | None:
        held = self.addresses[words[3]]
        if words[0] == "delete":
            if words[1] not in held:
                return "RTNETLINK answers: Cannot assign requested address"
            held.remove(words[1])
        elif words[1] not in held:
            held.append(words[1])
        return None

    def _ip_link(self, words: list[str], _six: bool) -> str | None:
        if words[0] == "add":
            self._make(words[1])
        elif words[1] not in self.addresses:
            return f'Cannot find device "{words[1]}"'
        elif words[0] == "delete":
            del self.addresses[words[1]]
            self.up.discard(words[1])
            self.settings = {name: value for name, value in self.settings.items()
                             if not name.startswith(f"{words[1]}.")}  # fmt: skip
        else:
            (self.up.add if words[2] == "up" else self.up.discard)(words[1])
        return None

    def _ip_fou(self, words: list[str], six: bool) -> str | None:
        name = f"{6 if six else 4}:{words[2]}"
        (self.gue.add if words[0] == "add" else self.gue.discard)(name)
        return None

    def _ip_route(self, words: list[str], _six: bool) -> str | None:
        if words[0] == "flush":
            self.tables.pop(words[2], None)
        elif words[1] == "local":
            (self.networks.add if words[0] == "replace" else self.networks.discard)(words[2])
        else:
            self.tables[words[5]] = words[3]
        return None

    def _ip_rule(self, words: list[str], _six: bool) -> str | None:
        text = " ".join(words[1:])
        if words[0] == "delete" and text not in self.rules:
            return "RTNETLINK answers: No such file or directory"
        (self.rules.add if words[0] == "add" else self.rules.discard)(text)
        return None

    def _look(self, call: Call) -> Answer:
        links = [
            {
                "ifname": name,
                "flags": ["UP"] if name in self.up else [],
                "addr_info": [
                    {"local": one.partition("/")[0], "prefixlen": int(one.partition("/")[2])}
                    for one in held
                ],
            }
            for name, held in self.addresses.items()
        ]
        rules = [re.sub(r"from (\S+ .*) priority (\d+)", r"\2:\tfrom \1", one)
                 for one in self.rules]  # fmt: skip
        files = [f"{hashlib.sha256(text.encode()).hexdigest()}  {path}"
                 for path, text in self.files.items() if path != _RECORD]  # fmt: skip
        parts = {
            "kernel": "6.1.0-fake",
            "clock": "1795277053",
            "links": json.dumps(links),
            "settings": "\n".join(
                f"/proc/sys/net/ipv4/conf/{name.replace('.', '/')}:{value}"
                for name, value in self.settings.items()
            ),
            "rules": "\n".join(rules),
            "routes": "\n".join(
                [f"default via {via} dev eth0 table {table} " for table, via in self.tables.items()]
                + [f"local {one} dev lo table local scope host " for one in self.networks]
            ),
            "gue": "\n".join(
                f"port {one[2:]} gue{' -6' if one[0] == '6' else ''}" for one in self.gue
            ),
            "nft": f"/usr/sbin/nft\n{self.nft}",
            "files": "\n".join(files),
            "record": self.files.get(_RECORD, ""),
            "unit": "enabled" if self.is_enabled else "disabled",
            "ways": "\n".join(
                self._way(name) for name in re.findall(r"echo '(\S+,\S+)'", call.text)
            ),
            "connections": "\n".join(
                f"{count} {end}"
                for end, count in self.connections.items()
                if "ss -Htn" in call.text
            ),
        }
        text = "".join(f"@@ {name}\n{part}\n" for name, part in parts.items())
        return Answer(f"{text}@@ end\n")

    def _way(self, name: str) -> str:
        rip, protocol, port, gateway = name.split(",")
        table = 20000 + zlib.crc32(gateway.encode()) % 10000
        rules = {
            f"from {rip} ipproto {protocol}{sport} lookup {table} priority 15000"
            for sport in ("", f" sport {port}")
        }
        words = f"{name} 198.51.100.1 from {rip} via"
        if rules & self.rules:
            return f"{words} {self.tables[str(table)]} dev eth0 table {table} uid 0"
        return f"{words} {self.gateway} dev eth0 uid 0"
