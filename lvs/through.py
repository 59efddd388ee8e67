"""Each real server of a service asked alone through the forwarding path, from its director.

Nothing stays on the director: see `lvs.probe.director`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db import transaction

from console import operations
from console.access import SYSTEM
from console.errors import Busy
from console.execution import Refusal, Run
from console.planning import Problem, Step
from console.planning import mark as _
from console.remote.session import Session
from lvs import declared, execute
from lvs.director.sample import Look
from lvs.models import Director, RealServer, VirtualService
from lvs.probe import paths
from lvs.probe.diagnosis import diagnose
from lvs.probe.paths import Asked, Paths, ProbeBusy, ProbeFailed
from lvs.probe.reading import ARGV, IncompleteProof


def probe(
    run: Run, service: VirtualService, on_director: Session, client: str
) -> tuple[Paths, dict[str, Any]]:
    """Ask them all; what was found, and the proof's part about it. `client` is the address of
    a client, "" where none is known."""
    rows = list(service.real_servers.all())
    asked = asked_of(service, rows)
    found = _ask(run, service, on_director, asked, client)
    problems = {
        one.name: diagnose(
            reached,
            one.forwarding,
            found.settings,
            vip=service.vip,
            tunnel=one.destination.tunnel,
        )
        for one in asked
        for reached in found.servers
        if reached.name == one.name
    }
    return found, {
        "servers": [
            one | {"problem": _problem(problems[one["name"]])} for one in found.to_json()
        ],
        "unreached": sorted(
            one.name for one in found.servers if not one.path.is_fine or _blocks(problems[one.name])
        ),
        "left_out": len(rows) - len(found.servers),
    }  # fmt: skip


def asked_of(service: VirtualService, rows: Iterable[RealServer]) -> list[Asked]:
    """The real servers in their order, as they are declared."""
    rows = list(rows)
    destinations = declared.entry_of(service, rows).destinations.values()
    return [
        Asked(destination, row.effective_forwarding, destination.key.port or service.port)
        for destination, row in zip(destinations, rows, strict=True)
    ]


def sweep_if_left(director: Director, found: Look) -> None:
    """Have taken back what a look found that a killed probe left; a busy director is looked
    at again."""
    if found.has_left_probe:
        with contextlib.suppress(Busy), transaction.atomic():
            operations.begin(SYSTEM, "director.sweep_probe", director)


def sweep(run: Run) -> dict[str, Any]:
    """The body of `director.sweep_probe`: take back what a probe left."""
    director = execute.director_of(run)
    step = Step(
        _("Take back what a probe left"), ARGV, stdin=paths.sweep_script(), timeout=60,
        is_destructive=True,
    )  # fmt: skip
    session = run.session(director.host)
    result = run.run(session, step, fence=_fence(run, director))
    _read(session, result.stdout, result.stderr)
    return {}


def _ask(
    run: Run, service: VirtualService, on_director: Session, asked: list[Asked], client: str
) -> Paths:
    step = Step(
        _("Ask each real server alone through its path"),
        ARGV,
        stdin=paths.director_script(service.protocol, service.vip, service.port, asked, client),
        timeout=paths.seconds_for(len(asked)),
    )
    result = run.run(on_director, step, fence=_fence(run, service.director))
    return _read(on_director, result.stdout, result.stderr)


def _fence(run: Run, director: Director) -> Any:
    return run.fence(f"probe-{director.pk}")


def _read(on_director: Session, text: str, said: str) -> Paths:
    machine = {"machine": on_director.machine}
    try:
        return paths.read_paths(text, said)
    except ProbeBusy as error:
        raise Refusal(
            "probe-busy",
            _("%(machine)s: another probe has not ended"),
            machine,
            remedy=_("Try again in a minute."),
        ) from error
    except ProbeFailed as error:
        raise Refusal(
            "probe-failed",
            _("%(machine)s: the real servers could not be asked through their paths"),
            machine,
            said=str(error),
            remedy=_("Mend what the machine names, then try again. Nothing was left behind."),
        ) from error
    except IncompleteProof as error:
        raise Refusal(
            "no-probe",
            _("%(machine)s: the real servers could not be asked through their paths"),
            machine,
            said=f"{error}\n{said}",
            remedy=_("The director needs Python 3 for this: apt-get install python3-minimal"),
        ) from error


def _blocks(problem: Problem | None) -> bool:
    return problem is not None and problem.is_blocking


def _problem(problem: Problem | None) -> dict[str, Any] | None:
    return asdict(problem) if problem is not None else None
