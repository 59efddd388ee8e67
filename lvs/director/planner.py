"""Compares a director's surroundings with what they should be."""

from __future__ import annotations

from pathlib import PurePosixPath

from console.planning import Effect, Line, Plan, Problem, Step
from console.planning import mark as _
from lvs.director import boot, nft_plan, undo
from lvs.director.settings import (
    TIMEOUT_DEFAULTS,
    Timeouts,
    agree,
    default_of,
    full,
    problem_of,
    timeouts_line,
)
from lvs.director.types import OwnFile, Surroundings, Wanted

#: How settings are written: one process, each line with its own error.
SETTINGS_ARGV = ("sysctl", "-q", "-p", "-")
#: ipvsadm(8): the seconds follow, 0 leaves a timeout as it is.
TIMEOUTS_ARGV = ("ipvsadm", "--set")
_KEEP_TIMEOUTS = "ipvsadm -L --timeout | sed -n 's/.*: /ipvsadm --set /p'"
_ADDRESSES_ARGV = ("ip", "-batch", "-")

#: Writes standard input to $1: to a new file first, flushed, then renamed over the old one.
_WRITE_FILE = (
    'mkdir -p "$(dirname "$1")" && cat > "$1.new" && sync "$1.new"'
    ' && mv "$1.new" "$1" && sha256sum "$1"'
)
_EMPTY = OwnFile("", "").digest


def plan_before(wanted: Wanted, observed: Surroundings) -> Plan:
    """What has to be in place before the table changes: forwarding for NAT, settings, the
    addresses from which Full NAT speaks, and marks."""
    steps = []
    if wanted.needs_ipv4_forwarding and not observed.forwards_ipv4:
        steps.append(_forwarding(_("Turn IPv4 forwarding on, for NAT"), "net.ipv4.ip_forward=1"))
    if wanted.needs_ipv6_forwarding and not observed.forwards_ipv6:
        steps.append(
            _forwarding(_("Turn IPv6 forwarding on, for NAT"), "net.ipv6.conf.all.forwarding=1")
        )
    return (
        Plan(tuple(steps))
        + _settings(wanted, observed)
        + _timeouts(wanted, observed)
        + _pool(wanted, observed)
        + nft_plan.before(wanted.marking, observed.nft)
    )


def plan_after(wanted: Wanted, observed: Surroundings) -> Plan:
    """What follows the table: VIPs come once their services are there, and go, marks that
    nothing needs any more go, and our own small files say the same for the next boot."""
    return (
        _vips(wanted, observed)
        + nft_plan.after(wanted.marking, observed.nft)
        + _files(wanted, observed)
    )


def problems(wanted: Wanted, observed: Surroundings) -> list[Problem]:
    """Reasons why the plan could not work on this machine."""
    found = [*_interface_problems(wanted, observed), *_setting_problems(wanted, observed)]
    if wanted.marking and not observed.has_nft:
        found.append(
            Problem(
                "no-nft",
                "",
                _("Firewall marks and Full NAT need nftables, and the director has no nft."),
                _("Install it on the director: apt-get install nftables."),
            )
        )
    found += [
        Problem(
            "marks-conflict",
            "addresses",
            _("%(one)s and %(other)s both want the packets to %(key)s."),
            _("Give each packet to one service: change one of the networks or port ranges."),
            {"one": conflict.one, "other": conflict.other, "key": conflict.key},
        )
        for conflict in wanted.conflicts
    ]
    return found


def _interface_problems(wanted: Wanted, observed: Surroundings) -> list[Problem]:
    present = ", ".join(sorted(observed.addresses))
    needed = {"vip_interface": wanted.interface}
    if wanted.marking.pool and wanted.local_interface:
        needed["local_interface"] = wanted.local_interface
    remedies = {
        "vip_interface": _("Change the interface of the VIPs on the director's page."),
        "local_interface": _("Change the interface of the local addresses in the settings."),
    }
    return [
        Problem(
            code="no-such-interface",
            subject=subject,
            message=_("The director has no interface %(interface)s. It has: %(present)s."),
            remedy=remedies[subject],
            params={"interface": interface, "present": present},
        )
        for subject, interface in needed.items()
        if observed.addresses and interface not in observed.addresses
    ]


def _setting_problems(wanted: Wanted, observed: Surroundings) -> list[Problem]:
    found = [
        problem
        for name, value in wanted.settings.items()
        if (problem := problem_of(name, value)) is not None
    ]
    for name, value in wanted.derived.items():
        declared = wanted.settings.get(name)
        if declared is not None and not agree(name, declared, value):
            found.append(
                Problem(
                    "setting-contradicts",
                    name,
                    _("Full NAT needs %(setting)s=%(value)s, but %(declared)s is declared."),
                    _("Withdraw the setting on the director's page, or use another method."),
                    {"setting": full(name), "value": value, "declared": declared},
                )
            )
    if observed.settings:
        found += [
            Problem(
                "setting-absent",
                name,
                _("The director's kernel %(kernel)s has no setting %(setting)s."),
                _("Withdraw it on the director's page."),
                {"setting": full(name), "kernel": observed.kernel},
            )
            for name in wanted.settings
            if name not in observed.settings
        ]
    return found


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


def _settings(wanted: Wanted, observed: Surroundings) -> Plan:
    """Settings that differ, and those that were declared and are no more: the kernel's own
    default is written once, then they are left alone."""
    goal = {
        name: default_of(name)
        for name in observed.own.settings
        if name not in wanted.settings and default_of(name)
    }
    goal |= wanted.settings | wanted.derived
    lines = tuple(
        Line(
            f"{full(name)} = {value}",
            Effect.CHANGE,
            f"{full(name)} = {observed.settings[name]}",
        )
        for name, value in sorted(goal.items())
        if name in observed.settings and not agree(name, value, observed.settings[name])
    )
    if not lines:
        return Plan()
    return Plan((Step(_("Change settings of the kernel"), SETTINGS_ARGV, lines),))


def _timeouts(wanted: Wanted, observed: Surroundings) -> Plan:
    """Timeouts likewise. Connections that are there keep theirs."""
    goal = Timeouts(
        *(
            own if own is not None else (default if was is not None else None)
            for own, was, default in zip(
                wanted.timeouts, observed.own.timeouts, TIMEOUT_DEFAULTS, strict=True
            )
        )
    )
    present = observed.timeouts
    if not any(present) or all(
        own is None or own == now for own, now in zip(goal, present, strict=True)
    ):
        return Plan()
    line = Line(timeouts_line(goal), Effect.CHANGE, timeouts_line(present))
    argv = (*TIMEOUTS_ARGV, *(str(seconds or 0) for seconds in goal))
    title = _("Change the timeouts of new connections")
    return Plan((Step(title, argv, (line,), keep=_KEEP_TIMEOUTS),))


def _pool(wanted: Wanted, observed: Surroundings) -> Plan:
    """The addresses from which Full NAT speaks, where the director lacks them."""
    held = observed.bare_addresses()
    placed = wanted.placed()
    adding = tuple(
        _adding(address, placed[address])
        for address in sorted(wanted.marking.pool)
        if address not in held
    )
    if not adding:
        return Plan()
    title = _("Put the local addresses for Full NAT on the director")
    return Plan((Step(title, _ADDRESSES_ARGV, adding),))


def _vips(wanted: Wanted, observed: Surroundings) -> Plan:
    held = observed.bare_addresses()
    adding = [_adding(vip, wanted.interface) for vip in sorted(wanted.vips) if vip not in held]
    adding += [
        Line(boot.route_words("add", network), Effect.ADD)
        for network in sorted(wanted.networks - set(observed.local_networks))
    ]
    removing = [
        Line(f"address delete {boot.address_words(address)} dev {interface}", Effect.REMOVE)
        for address, interface in sorted(_leaving(wanted, observed).items())
        if boot.address_words(address) in observed.addresses.get(interface, ())
    ]
    removing += [
        Line(boot.route_words("delete", network), Effect.REMOVE)
        for network in sorted(set(observed.local_networks) - wanted.networks)
    ]
    steps = []
    if adding:
        steps.append(Step(_("Put the VIPs on the director"), _ADDRESSES_ARGV, tuple(adding)))
    if removing:
        steps.append(
            Step(
                _("Take addresses off the director"),
                _ADDRESSES_ARGV,
                tuple(removing),
                is_destructive=True,
            )
        )
    return Plan(tuple(steps))


def _leaving(wanted: Wanted, observed: Surroundings) -> dict[str, str]:
    """Addresses of ours that nothing needs, with their interface: the VIPs of services on
    their way out, and what our file has and nothing declares any more."""
    needed = wanted.placed()
    found = dict.fromkeys(wanted.leaving, wanted.interface)
    found |= {
        address: interface
        for address, interface in observed.own.addresses.items()
        if address not in wanted.declared
    }
    return {address: interface for address, interface in found.items() if address not in needed}


def _adding(address: str, interface: str) -> Line:
    words = f"address add {boot.address_words(address)} dev {interface}{boot.no_dad(address)}"
    return Line(words, Effect.ADD)


def _files(wanted: Wanted, observed: Surroundings) -> Plan:
    """One script that writes the files which differ, and has the unit started at boot."""
    files = boot.own_files(wanted, observed)
    stale = [file for file in files if observed.files.get(file.path, _EMPTY) != file.digest]
    if not stale and observed.is_unit_enabled:
        return Plan()
    script = "".join(_script(file) for file in stale) + f"{boot.ENABLE}\n"
    title = _("Have table, VIPs and settings put back at boot")
    keep = undo.keep_files(*(file.path for file in stale))
    return Plan((Step(title, ("sh", "-e", "-s"), stdin=script.encode(), keep=keep),))


def _script(file: OwnFile) -> str:
    return (
        f"mkdir -p {PurePosixPath(file.path).parent}\n"
        f"cat > {file.path}.new <<'@@'\n{file.content}@@\n"
        f"sync {file.path}.new\nmv {file.path}.new {file.path}\n"
    )
