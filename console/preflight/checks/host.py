"""What every machine needs: a way in as root, its clock, programs, room, a network."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from ..findings import Finding, Role, say
from ..types import Facts, Filesystem, Interface
from .clocks import check_clock, is_container
from .wording import install, names, size

#: What the transport and the keeping of files on the machine call.
REQUIRED_TOOLS = ("timeout", "flock", "sync", "awk", "sha256sum", "sysctl")
_MIB = 1024 * 1024


def check_host(
    facts: Facts, username: str, sent_at: datetime | None, received_at: datetime | None
) -> Iterator[Finding]:
    """What counts for every role."""
    yield _system(facts)
    yield _virtualization(facts)
    yield _privileges(facts, username)
    yield from check_clock(facts, sent_at, received_at)
    yield _init(facts)
    yield from _tools(facts, username)
    yield _hardware(facts)
    yield from _disks(facts)
    yield from _writable(facts)
    yield _confinement(facts)
    yield from _network(facts)


def _system(facts: Facts) -> Finding:
    kernel = facts.kernel
    if kernel.sysname != "Linux":
        return say(Role.HOST, "system.other", sysname=kernel.sysname or "?")
    return say(
        Role.HOST,
        "system.linux",
        name=facts.distribution.name or facts.distribution.id,
        release=kernel.release,
        machine=kernel.machine,
        hostname=kernel.hostname,
    )


def _virtualization(facts: Facts) -> Finding:
    kind = facts.virtualization
    if not kind:
        return say(Role.HOST, "virtualization.unknown", command="systemd-detect-virt")
    if kind == "none":
        return say(Role.HOST, "virtualization.none")
    case = "container" if is_container(facts) else "virtual"
    return say(Role.HOST, f"virtualization.{case}", kind=kind)


def _privileges(facts: Facts, username: str) -> Finding:
    who = facts.identity
    if who.uid is None:
        return say(Role.HOST, "privileges.unknown", command="id -u")
    if who.uid == 0:
        if username == "root":
            return say(Role.HOST, "privileges.root")
        return say(Role.HOST, "privileges.sudo", username=username)
    rule = shlex.quote(f"{username} ALL=(root) NOPASSWD: ALL")
    return say(
        Role.HOST,
        "privileges.missing",
        user=who.user or "?",
        uid=who.uid,
        username=username,
        command=f"echo {rule} > /etc/sudoers.d/evenkeel && chmod 440 /etc/sudoers.d/evenkeel",
    )


def _init(facts: Facts) -> Finding:
    init = facts.init
    if not init.is_systemd:
        return say(Role.HOST, "init.other")
    if not init.state:
        return say(Role.HOST, "init.unknown", command="systemctl is-system-running")
    if init.state != "running":
        return say(Role.HOST, "init.degraded", state=init.state, command="systemctl --failed")
    return say(Role.HOST, "init.running")


def _tools(facts: Facts, username: str) -> Iterator[Finding]:
    present = []
    for name in REQUIRED_TOOLS:
        tool = facts.tool(name)
        if tool is None:
            yield say(Role.HOST, "tool.absent", f"tool-{name}", name=name, **install(name))
        elif not tool.is_on_path:
            yield say(
                Role.HOST,
                "tool.off-path",
                f"tool-{name}",
                name=name,
                path=tool.path,
                username=username,
                command="visudo",
            )
        else:
            present.append(name)
    if len(present) == len(REQUIRED_TOOLS):
        yield say(Role.HOST, "tools.present", names=", ".join(present))
    if facts.tool("gzip"):
        yield say(Role.HOST, "compression.present")
    else:
        yield say(Role.HOST, "compression.absent", **install("gzip"))


def _hardware(facts: Facts) -> Finding:
    found = facts.hardware
    if found.cpus is None or found.memory is None:
        return say(Role.HOST, "hardware.unknown", command="nproc; free -h")
    return say(
        Role.HOST,
        "hardware.ok",
        cpus=found.cpus,
        model=found.model or "?",
        memory=size(found.memory),
        available=size(found.memory_available),
    )


def _disks(facts: Facts) -> Iterator[Finding]:
    """Each file system on which something of ours or of the guests lies."""
    if not facts.storage.filesystems:
        yield say(Role.HOST, "disk.unknown", command="df -h / /var")
    for filesystem in facts.storage.filesystems:
        yield _disk(filesystem)


def _disk(filesystem: Filesystem) -> Finding:
    percent = filesystem.free * 100 // filesystem.size if filesystem.size else 0
    if filesystem.free < 16 * _MIB:
        case = "full"
    else:
        case = "low" if percent < 10 or filesystem.free < 512 * _MIB else "ok"
    more = {} if case == "ok" else {"command": f"du -xh {shlex.quote(filesystem.path)} | sort -h"}
    return say(
        Role.HOST,
        f"disk.{case}",
        f"disk-{filesystem.path}",
        path=filesystem.path,
        free=size(filesystem.free),
        size=size(filesystem.size),
        percent=percent,
        **more,
    )


def _writable(facts: Facts) -> Iterator[Finding]:
    for path in ("/etc", "/var/lib"):
        state = facts.storage.writable.get(path)
        code = f"writable-{path}"
        if state == "yes":
            yield say(Role.HOST, "writable.yes", code, path=path)
        elif state is None:
            yield say(Role.HOST, "writable.unknown", code, path=path, command=f"ls -ld {path}")
        else:
            yield say(
                Role.HOST, "writable.no", code, path=path, command=f"findmnt -T {path}; dmesg"
            )


def _confinement(facts: Facts) -> Finding:
    security = facts.security
    if security.selinux != "off":
        return say(Role.HOST, f"confinement.{security.selinux}")
    return say(Role.HOST, "confinement.apparmor" if security.has_apparmor else "confinement.none")


def _network(facts: Facts) -> Iterator[Finding]:
    interfaces = facts.network.interfaces
    if interfaces is None:
        yield say(Role.HOST, "interfaces.unreadable", **install("ip"))
    else:
        reached = [_described(found) for found in interfaces if _is_reached(found)]
        if reached:
            yield say(Role.HOST, "interfaces.ok", names=names(reached))
        else:
            command = "ip address add ADDRESS/PREFIX dev INTERFACE && ip link set INTERFACE up"
            yield say(Role.HOST, "interfaces.none", command=command)
    routes = [f"{route.gateway or route.device} ({route.device})" for route in facts.network.routes]
    if routes:
        yield say(Role.HOST, "default-route.ok", routes=names(routes))
    elif interfaces is not None:
        yield say(Role.HOST, "default-route.none", command="ip route add default via GATEWAY")


def _is_reached(interface: Interface) -> bool:
    return interface.is_up and any(
        address.scope not in ("host", "link") for address in interface.addresses
    )


def _described(interface: Interface) -> str:
    shown = [f"{address.ip}/{address.prefix}" for address in interface.addresses
             if address.scope not in ("host", "link")]  # fmt: skip
    return f"{interface.name} {' '.join(shown[:3])}"
