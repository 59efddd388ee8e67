"""The same plan for a machine that the console may not log in to: a script for a root shell,
and a cloud-init snippet that runs it at the first boot."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from console.planning import Step
from lvs.realserver import boot, checks
from lvs.realserver.items import NFT_TABLE, Item, ip
from lvs.realserver.needs import Need
from lvs.realserver.planner import SHELL, plan
from lvs.realserver.sample import OUTSIDE, Seen
from lvs.realserver.wanted import rule_name, wanted_items

_HEAD = "#!/bin/sh\n# Run as root. Running it again changes nothing.\nset -e\n"
_INIT_PATH = "/var/lib/cloud/evenkeel-realserver.sh"

#: Undoes what the record names, the last thing first.
UNDO = """\
#!/bin/sh
# Run as root: brings back what was there before.
[ -e RECORD_FILE ] || exit 0
tac RECORD_FILE | while read -r kind name was; do
  six=; case $name in *:*:*) six=-6 ;; esac
  case $kind in
    clamp) nft delete table inet "$name" ;;
    rule)
      ip $six rule show | grep -F "from ${name%%,*} " | grep '^15000:' | while read -r line; do
        ip $six rule delete ${line#*:} priority 15000
      done ;;
    route)
      for t in $(ip $six route show table all | grep "^default via $name .* table 2" \\
          | sed 's/.* table \\([0-9]*\\).*/\\1/'); do ip $six route flush table "$t"; done ;;
    inside) ip $six address delete "${name#*,}/32" dev "${name%%,*}" ;;
    network) ip $six route delete local "$name" dev lo ;;
    address)
      [ "$was" = present ] || ip $six address delete "$name/$([ "$six" ] && echo 128 || echo 32)" \\
        dev lo ;;
    gue)
      [ "$was" = present ] || case $name in
        6:*) ip -6 fou del port "${name#*:}" ;;
        *) ip fou del port "${name#*:}" ;;
      esac ;;
    device) ip link delete "$name" ;;
    link) [ "$was" = up ] || ip link set "$name" down ;;
    setting) [ "$was" = absent ] || sysctl -qw "$name=$was" ;;
  esac
done
""".replace("RECORD_FILE", boot.RECORD)


def preparation_script(needs: Iterable[Need]) -> str:
    """Puts in place what the needs ask for, now and at every boot; "" where they ask nothing."""
    steps = plan(wanted_items(needs), Seen())
    body = "".join(f"\n# {step.title}\n{_shell(step)}" for step in steps)
    return f"{_HEAD}{body}" if body else ""


def undo_script() -> str:
    """Brings a machine back to how it was before the preparation."""
    return UNDO + "".join(f"{line}\n" for line in boot.CLEAN)


def cloud_init(needs: Iterable[Need]) -> str:
    """The script as user data (cloud-init, modules write_files and runcmd)."""
    script = preparation_script(needs)
    if not script:
        return ""
    content = "".join(f"      {line}".rstrip() + "\n" for line in script.splitlines())
    return (
        "#cloud-config\n"
        "write_files:\n"
        f"  - path: {_INIT_PATH}\n"
        '    permissions: "0700"\n'
        "    content: |\n"
        f"{content}"
        "runcmd:\n"
        f"  - [sh, {_INIT_PATH}]\n"
    )


def verification_script(needs: Iterable[Need]) -> str:
    """Commands that show whether the machine is as it should be, each thing once."""
    needs = sorted(needs)
    lines = {line: None for item in wanted_items(needs) for line in _shown(item)}
    for need in needs:
        if need.method == "masq" and need.gateway:
            command = ip(need.rip)
            lines[f"{command} route get {OUTSIDE[command]} from {need.rip}"
                  f" ipproto {rule_name(need).split(',')[1]} sport {need.port}"] = None  # fmt: skip
        if need.port:
            lines[checks.listener_check(need.port, need.protocol)] = None
    return "".join(f"{line}\n" for line in lines)


def _shown(item: Item) -> tuple[str, ...]:
    if item.kind == "setting":
        return (f"sysctl {item.name}",)
    if item.kind in ("link", "device"):
        return (f"ip link show dev {item.name} up",)
    if item.kind == "gue":
        return ("ip fou show",)
    if item.kind == "address":
        return (f"{ip(item.name)} address show dev lo to {item.name}",)
    if item.kind == "network":
        return (f"{ip(item.name)} route show table local {item.name}",)
    return (f"nft list table inet {NFT_TABLE}",) if item.kind == "clamp" else ()


def _shell(step: Step) -> str:
    given = (step.input_bytes or b"").decode()
    if step.argv == SHELL:
        return given
    return f"{shlex.join(step.argv)} <<'@@'\n{given}@@\n"
