"""Surveying a director, in a worker: one round trip that changes nothing."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from console.execution import Refusal, Run
from console.planning import Step
from console.planning import mark as _
from lvs import declared, execute, seen
from lvs.director import sample
from lvs.director.sample import IncompleteSample
from lvs.director.survey import SCRIPT, read_survey
from lvs.importing.report import report_of
from lvs.ipvsadm.errors import InconsistentSample, ParseError
from lvs.models import ImportSource

_TRIES = 4
_STEP = Step(
    _("Read table, settings and who writes them"), sample.ARGV, stdin=SCRIPT, timeout=180.0
)


def survey(run: Run) -> dict[str, Any]:
    """The body of `director.survey`: keep what was found, and say how much of it there is."""
    director = execute.director_of(run)
    session = run.session(director.host)
    last: ValueError = InconsistentSample()
    for _try in range(_TRIES):
        result = run.run(session, _STEP)
        try:
            if result.is_truncated:
                raise IncompleteSample("the answer is longer than the console reads")
            found = read_survey(result.stdout, result.stderr)
        except (InconsistentSample, ParseError) as error:
            last = error
            continue
        except IncompleteSample as error:
            raise _unreadable(session.machine, str(error)) from error
        seen.keep_look(director, found.look, declared.owned_keys(director.virtual_services.all()))
        source, _made = ImportSource.objects.update_or_create(
            director=director,
            kind=ImportSource.Kind.MACHINE,
            defaults={
                "content": ImportSource.packed(result.stdout),
                "taken_at": timezone.now(),
            },
        )
        report = report_of(director, source)
        return {
            "counts": report.counts,
            "problems": len(report.problems) + len(report.blockers),
        }
    raise _unreadable(session.machine, str(last))


def _unreadable(machine: str, said: str) -> Refusal:
    return Refusal(
        "no-survey",
        _("%(machine)s: what is there could not be read"),
        {"machine": machine},
        said=said,
        remedy=_(
            "Run the preflight of this host: it names what is missing and how to install it. If"
            " something writes the table all the time, stop it first."
        ),
    )
