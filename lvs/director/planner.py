"""Compares a director's surroundings with what they should be."""

from __future__ import annotations

from pathlib import PurePosixPath

from console.planning import Effect, Line, Plan, Problem, Step
from console.planning import mark as _
from lvs.director import boot, undo
from lvs.director.types import OwnFile, Surroundings, Wanted

#: Writes standard input to $1: to a new file first, flushed, then renamed over the old one.
_WRITE_FILE = (
    'mkdir -p "$(dirname "$1")" && cat > "$1.new" && sync "$1.new"'
    ' && mv "$1.new" "$1" && sha256sum "$1"'
)


def plan_before(wanted: Wanted, observed: Surroundings) -> Plan:
    """What has to be in place before the table changes: forwarding for NAT."""
    steps = []
    if wanted.needs_ipv4_forwarding and not observed.forwards_ipv4:
        steps.append(_forwarding(_("Turn IPv4 forwarding on, for NAT"), "net.ipv4.ip_forward=1"))
    if wanted.needs_ipv6_forwarding and not observed.forwards_ipv6:
        steps.append(
            _forwarding(_("Turn IPv6 forwarding on, for NAT"), "net.ipv6.conf.all.forwarding=1")
        )
    return Plan(tuple(steps))


def plan_after(wanted: Wanted, observed: Surroundings) -> Plan:
    """What follows the table: VIPs come once their services are there, and go, and our own
    small files say the same for the next boot."""
    return _vips(wanted, observed) + _files(wanted, observed)


def problems(wanted: Wanted, observed: Surroundings) -> list[Problem]:
    """Reasons why the plan could not work on this machine."""
    if wanted.interface in observed.addresses or not observed.addresses:
        return []
    present = ", ".join(sorted(observed.addresses))
    return [
        Problem(
            code="no-such-interface",
            subject="vip_interface",
            message=_("The director has no interface %(interface)s. It has: %(present)s."),
            remedy=_("Change the interface of the VIPs on the director's page."),
            params={"interface": wanted.interface, "present": present},
        )
    ]


def write_file(title: str, path: str, content: bytes, *, is_destructive: bool = False) -> Step:
    """A step that puts `content` at `path` atomically and prints its SHA-256."""
    return Step(
        title=title,
        argv=("sh", "-c", _WRITE_FILE, "evenkeel", path),
        stdin=content,
        is_destructive=is_destructive,
        timeout=120.0,
    )


def _forwarding(title: str, setting: str) -> Step:
    return Step(title=title, argv=("sysctl", "-qw", setting))


def _vips(wanted: Wanted, observed: Surroundings) -> Plan:
    held, ours = observed.bare_addresses(), set(observed.addresses.get(wanted.interface, ()))
    adding = [
        Line(
            f"address add {boot.address_words(vip)} dev {wanted.interface}{boot.no_dad(vip)}",
            Effect.ADD,
        )
        for vip in sorted(wanted.vips)
        if vip not in held
    ]
    removing = [
        Line(f"address delete {boot.address_words(vip)} dev {wanted.interface}", Effect.REMOVE)
        for vip in sorted(wanted.leaving)
        if boot.address_words(vip) in ours
    ]
    steps = []
    if adding:
        steps.append(Step(_("Put the VIPs on the director"), ("ip", "-batch", "-"), tuple(adding)))
    if removing:
        steps.append(
            Step(
                _("Take VIPs off the director"),
                ("ip", "-batch", "-"),
                tuple(removing),
                is_destructive=True,
            )
        )
    return Plan(tuple(steps))


def _files(wanted: Wanted, observed: Surroundings) -> Plan:
    """One script that writes the files which differ, and has the unit started at boot."""
    files = boot.own_files(wanted)
    stale = [file for file in files if observed.files.get(file.path) != file.digest]
    if not stale and observed.is_unit_enabled:
        return Plan()
    script = "".join(_script(file) for file in stale) + f"{boot.ENABLE}\n"
    title = _("Have table, VIPs and forwarding put back at boot")
    keep = undo.keep_files(*(file.path for file in stale))
    return Plan((Step(title, ("sh", "-e", "-s"), stdin=script.encode(), keep=keep),))


def _script(file: OwnFile) -> str:
    return (
        f"mkdir -p {PurePosixPath(file.path).parent}\n"
        f"cat > {file.path}.new <<'@@'\n{file.content}@@\n"
        f"sync {file.path}.new\nmv {file.path}.new {file.path}\n"
    )
