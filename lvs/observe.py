"""Looking at a director: one round trip, believed only when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Collection

from console.execution import Refusal
from console.planning import Step
from console.planning import mark as _
from console.remote.transport import Result
from lvs.director import sample
from lvs.director.sample import IncompleteSample, Look
from lvs.ipvsadm.errors import InconsistentSample, ParseError
from lvs.ipvsadm.types import ServiceKey

#: Tries before a table that changes all the time is given up, in words.
_TRIES = 4
#: Seconds that reading a table may take: 50,000 lines take 20 under emulation.
_TIMEOUT = 180.0

#: Runs one step on the director: journalled in an operation, plain in a poll.
Runner = Callable[[Step], Result]


def look_whole(run: Runner, machine: str) -> Look:
    """The whole table and what is around it.

    Raises Refusal when the machine answers, but not with a table: in words.
    """
    step = Step(_("Read the table"), sample.ARGV, stdin=sample.WHOLE_SCRIPT, timeout=_TIMEOUT)
    return _look(run, machine, step, ())


def look_quick(run: Runner, machine: str, keys: Collection[ServiceKey] = ()) -> Look:
    """The digest of the kernel's listing, and whole only the services of `keys`."""
    title = _("See that nothing else moved") if keys else _("See whether anything moved")
    step = Step(title, sample.ARGV, stdin=sample.quick_script(keys), timeout=_TIMEOUT)
    return _look(run, machine, step, keys)


def _look(run: Runner, machine: str, step: Step, keys: Collection[ServiceKey]) -> Look:
    """Read until the readings agree. A table that changes meanwhile can also list an entry
    twice, so a line that is not understood is believed only when the last reading has one."""
    last: ValueError = InconsistentSample()
    for _try in range(_TRIES):
        result = run(step)
        try:
            if result.is_truncated:
                raise IncompleteSample("the answer is longer than the console reads")
            return sample.read_look(result.stdout, result.stderr, keys)
        except (InconsistentSample, ParseError) as error:
            last = error
        except IncompleteSample as error:
            raise Refusal(
                "no-table",
                _("%(machine)s: the IPVS table could not be read"),
                {"machine": machine},
                said=str(error),
                remedy=_(
                    "Run the preflight of this host: it names what is missing and how to"
                    " install it."
                ),
            ) from error
    raise _unreadable(machine, last)


def _unreadable(machine: str, last: ValueError) -> Refusal:
    if isinstance(last, ParseError):
        return Refusal(
            "not-understood",
            _("%(machine)s: ipvsadm wrote something that the console does not understand"),
            {"machine": machine},
            said=str(last),
            remedy=_("Please report the quoted line with the versions of kernel and ipvsadm."),
        )
    return Refusal(
        "restless-table",
        _("%(machine)s: the table changed during every one of %(count)s readings"),
        {"machine": machine, "count": _TRIES},
        remedy=_(
            "Something else writes this table all the time: keepalived, a script, a person."
            " There can be only one writer."
        ),
    )
