"""What an import has to say about a machine: other writers, what starts at boot, what differs
between keepalived's file and the table, and how to hand over without losing a packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from console.planning import Problem
from console.planning import mark as _
from lvs.director.survey import SAVED, Survey
from lvs.ipvsadm.types import ServiceKey, Table
from lvs.keepalived.table import Expressed
from lvs.keepalived.types import Configuration

#: Addresses and services that one problem names.
_NAMED = 5
_ENABLED = frozenset({"enabled", "enabled-runtime", "linked"})


def some(values: Iterable[object]) -> str:
    """The first few, and how many more."""
    found = [str(value) for value in values]
    more = f" … +{len(found) - _NAMED}" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def runs(survey: Survey, name: str) -> bool:
    """Whether a program of this name runs there."""
    return any(process.name == name for process in survey.writers)


def writers(survey: Survey, configuration: Configuration) -> list[str]:
    """The programs that write the table now. A keepalived whose file has no virtual servers
    only moves addresses; one whose file could not be read may do anything."""
    names = sorted({process.name for process in survey.writers})
    is_read = bool(survey.configuration) and configuration != Configuration()
    if "keepalived" in names and is_read and not configuration.servers:
        names.remove("keepalived")
    return names


def another_writer(names: list[str]) -> Problem:
    """Nothing is declared while somebody else writes."""
    return Problem(
        "import-other-writer",
        "writer",
        _("%(names)s runs there and writes this table: the import stays a dry run."),
        _("A table has one writer. Hand over in the order below, then look again."),
        {"names": ", ".join(names)},
    )


def handover(names: list[str], configuration: Configuration) -> list[tuple[str, str]]:
    """What to do, in words, and the command for it."""
    steps: list[tuple[str, str]] = []
    if configuration.vrrp:
        steps.append(
            (
                _(
                    "On the other directors of its VRRP group, so that none of them takes the"
                    " addresses meanwhile:"
                ),
                "systemctl disable --now keepalived",
            )
        )
    for name in names:
        unit = f"{name}.service" if name != "seesaw_engine" else "seesaw.service"
        steps += [
            (_("Keep it from starting again:"), f"systemctl mask {unit}"),
            (
                _(
                    "End it at once: stopped first and then killed, it cannot take its table and"
                    " addresses away. An ordinary stop would."
                ),
                f"systemctl kill --signal=STOP {unit} && systemctl kill --signal=KILL {unit}",
            ),
        ]
    steps.append((_("Look again, import, apply. Traffic goes on all the time."), ""))
    return steps


def too_old() -> Problem:
    return Problem(
        "import-stale",
        "taken_at",
        _("This look is too old to import from."),
        _("Look again: it takes a moment and changes nothing."),
    )


def has_moved() -> Problem:
    return Problem(
        "import-moved",
        "taken_at",
        _("The table has changed since this look."),
        _("Look again, and see who else writes it."),
    )


def nothing() -> Problem:
    return Problem(
        "import-nothing",
        "drafts",
        _("There is nothing to import."),
        _("All that can be declared is declared already."),
    )


def place_taken(key: ServiceKey) -> Problem:
    return Problem(
        "import-place-taken",
        str(key),
        _("The firewall mark, or the address and port, of %(service)s belong to another service."),
        _("Give one of the two another mark by hand first."),
        {"service": str(key)},
    )


def unmanaged(key: ServiceKey) -> Problem:
    return Problem(
        "import-unmanaged",
        str(key),
        _("The director has %(service)s already, and nobody has declared it here."),
        _("Import from the director itself: then it is declared as it is there."),
        {"service": str(key)},
    )


def about_machine(survey: Survey, configuration: Configuration) -> Iterator[Problem]:
    """What stays on the machine and is nothing that can be declared."""
    for daemon in survey.daemons:
        yield Problem(
            "import-sync-daemon",
            daemon.role,
            _("A synchronisation daemon runs there (%(role)s on %(interface)s, id %(syncid)s)."),
            _("It goes on; nothing of the console's starts it again after a reboot."),
            {"role": daemon.role, "interface": daemon.interface, "syncid": daemon.syncid},
            is_blocking=False,
        )
    for unit, (_active, enabled) in survey.units.items():
        does_write = unit != "keepalived.service" or bool(configuration.servers)
        if enabled in _ENABLED and does_write and not runs(survey, unit.removesuffix(".service")):
            yield _starts_at_boot(unit, f"systemctl disable {unit}")
    if survey.restores_at_boot:
        yield _starts_at_boot("/etc/init.d/ipvsadm", "AUTO=false in /etc/default/ipvsadm")
    for mark in sorted(survey.obscure_marks):
        yield Problem(
            "import-mark-obscure",
            f"fwmark {mark}",
            _("A rule gives firewall mark %(mark)s by more than address, protocol and port."),
            _("Services with this mark cannot be imported while that rule says more."),
            {"mark": mark},
            is_blocking=False,
        )
    for path in SAVED:
        if any(line.startswith("-A") for line in survey.files.get(path, "").splitlines()):
            yield Problem(
                "import-saved-table",
                path,
                _("%(path)s holds a table for the boot."),
                _("The console keeps its own: empty that file after the first Apply."),
                {"path": path},
                is_blocking=False,
            )


def _starts_at_boot(unit: str, command: str) -> Problem:
    return Problem(
        "import-starts-at-boot",
        unit,
        _("%(unit)s starts at boot and would write the table again."),
        _("Switch it off: %(command)s"),
        {"unit": unit, "command": command},
        is_blocking=False,
    )


def compared(made: Expressed, table: Table) -> Iterator[Problem]:
    """Where the table is not what keepalived's file asks for: it knows of dead real servers,
    and a file can be newer than what was loaded."""
    absent = [key for key in made.table if key not in table]
    if absent:
        yield _difference(
            "import-not-in-table",
            _("%(count)s services of keepalived's file are not in the table: %(names)s."),
            _("They are not imported: no quorum, or not loaded yet. Declare them by hand."),
            absent,
        )
    dead, weighed, sorry = [], [], []
    for key, wanted in made.table.items():
        present = table.get(key)
        if present is None:
            continue
        origin = made.origins[key]
        for server, one in wanted.destinations.items():
            seen = present.destinations.get(server)
            if seen is None:
                dead.append(f"{key} → {server}")
            elif seen.weight != one.weight:
                weighed.append(f"{key} → {server}: {one.weight} → {seen.weight}")
        if origin.sorry in present.destinations and origin.sorry not in wanted.destinations:
            sorry.append(f"{key} → {origin.sorry}")
    for code, message, remedy, names in (
        (
            "import-dead-server",
            _("%(count)s real servers of keepalived's file are not in the table: %(names)s."),
            _("Their checks fail. They are not imported: add them once they answer."),
            dead,
        ),
        (
            "import-weight-differs",
            _("%(count)s weights differ from keepalived's file: %(names)s."),
            _("The weight that is in the table is imported. Raise it when the server is well."),
            weighed,
        ),
        (
            "import-sorry-server",
            _("%(count)s services are served by their sorry server now: %(names)s."),
            _("It is imported as a real server. Wait until the real ones are back."),
            sorry,
        ),
    ):
        if names:
            yield _difference(code, message, remedy, names)


def _difference(code: str, message: str, remedy: str, names: Iterable[object]) -> Problem:
    found = list(names)
    return Problem(
        code,
        "table",
        message,
        remedy,
        {"count": len(found), "names": some(found)},
        is_blocking=False,
    )
