"""How a preparation survives the machine's reboot without the console, and how it knows what
was there before: four small files.

`RECORD` says for each thing how it was before us ("setting NAME VALUE", "address VIP absent"),
so that undoing brings back what was, and never takes what the machine had of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lvs.realserver.items import DIRECTORY, NFT, NFT_TABLE, Item, put

SCRIPT = f"{DIRECTORY}/realserver.sh"
RECORD = f"{DIRECTORY}/realserver.before"
UNIT_NAME = "evenkeel-realserver.service"
UNIT = f"/etc/systemd/system/{UNIT_NAME}"

#: Enabling is a link on the disk; nothing has to be reloaded for it now.
ENABLE = f"systemctl --root=/ enable -q {UNIT_NAME}"
IS_ENABLED = f"systemctl --root=/ is-enabled {UNIT_NAME}"

UNIT_TEXT = f"""\
[Unit]
Description=What this real server needs for its virtual services, as Evenkeel last put it
Wants=network-online.target
After=network-online.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/bin/sh {SCRIPT}

[Install]
WantedBy=multi-user.target
"""

#: Everything goes once nothing is left that was changed.
CLEAN = (
    f"systemctl --root=/ disable -q {UNIT_NAME} || :",
    f"rm -f {SCRIPT} {NFT} {RECORD} {UNIT}",
    f"rmdir --ignore-fail-on-non-empty {DIRECTORY}",
)

#: Notes how each named thing is now, unless it was noted before: "kind name was".
REMEMBER = f"""\
mkdir -p {DIRECTORY}
touch {RECORD}
while read -r kind name; do
  was=absent
  case $kind in
    setting) was=$(sysctl -n "$name" 2>/dev/null) || was=absent ;;
    link) was=down
      case $(ip -o link show dev "$name" 2>/dev/null) in *[\\<,]UP[,\\>]*) was=up ;; esac ;;
    address) [ -z "$(ip -o address show dev lo to "$name")" ] || was=present ;;
    gue) ! ip fou show 2>/dev/null | grep -q "port ${{name#*:}} gue" || was=present ;;
  esac
  grep -q "^$kind $name " {RECORD} || echo "$kind $name $was" >> {RECORD}
done
sync {RECORD}
"""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A small file of ours, written whole when its content differs."""

    path: str
    content: str

    @property
    def digest(self) -> str:
        """SHA-256 of the content, as sha256sum prints it."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def lines(self) -> tuple[str, ...]:
        """Shell that puts it there: to a new file first, flushed, then renamed."""
        return (
            f"mkdir -p {self.path.rpartition('/')[0]}",
            f"cat > {self.path}.new <<'@@'",
            *self.content.splitlines(),
            "@@",
            f"sync {self.path}.new",
            f"mv {self.path}.new {self.path}",
        )


def own_files(items: Sequence[Item]) -> tuple[OwnFile, ...]:
    """The files as they should be; none for a machine that needs nothing."""
    if not items:
        return ()
    lines = ["# Written by Evenkeel; it is written again with every change.",
             *(line for item in items for line in put(item))]  # fmt: skip
    clamps = next((item.value for item in items if item.kind == "clamp"), "")
    nft = (OwnFile(NFT, _nft(clamps.split())),) if clamps else ()
    return (*nft, OwnFile(SCRIPT, "".join(f"{line}\n" for line in lines)), OwnFile(UNIT, UNIT_TEXT))


def _nft(clamps: Iterable[str]) -> str:
    """Our own table: answers from a VIP offer no larger segment than the tunnel carries."""
    rules = []
    for clamp in clamps:
        vip, _, mss = clamp.partition("=")
        family = "ip6" if ":" in vip else "ip"
        rules.append(
            f"    {family} saddr {vip} tcp flags syn / syn,rst tcp option maxseg size set {mss}\n"
        )
    return (
        f"table inet {NFT_TABLE}\n"
        f"delete table inet {NFT_TABLE}\n"
        f"table inet {NFT_TABLE} {{\n"
        "  chain answers {\n"
        "    type filter hook output priority mangle; policy accept;\n"
        f"{''.join(rules)}"
        "  }\n"
        "}\n"
    )
