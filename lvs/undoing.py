"""The undo of one apply: left on the director before it changes anything, taken away after
the proof, run where the change did not take effect whole."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime

from console import machines
from console.execution import Refusal, Run, Stopped
from console.operations import last_fence
from console.planning import Plan, Step
from console.planning import mark as _
from console.remote import fence
from console.remote.session import Session
from console.remote.transport import HostUnreachable, OutcomeUnknown, RemoteError, Result
from lvs import declared, observe, planned, seen
from lvs.director import undo
from lvs.director.sample import Look
from lvs.director.types import Surroundings
from lvs.ipvsadm import planner
from lvs.ipvsadm.types import ServiceKey, Table, VirtualEntry
from lvs.models import Director

#: Seconds for which a new connection is tried at least.
_LEAST_PATIENCE = 15.0


class CutOff(Refusal):
    """The change took the console's own way to the director, and was undone."""


class Guard:
    """What one apply left on its director so far."""

    def __init__(self, run: Run, director: Director, session: Session) -> None:
        self._run, self._director, self._session = run, director, session
        scope = f"director-{director.pk}"
        self.fence = run.fence(scope)
        self._undo = undo.Undo(
            operation=run.operation.pk,
            seconds=director.confirm_seconds,
            lock=f"{fence.DIRECTORY}/.{scope}.lock",
            fence=f"{fence.DIRECTORY}/{scope}",
            last=last_fence(run.operation),
        )
        self._parts = 0
        self._dial: Future[None] | None = None
        #: Titles of steps that nothing takes back.
        self.cannot_undo: list[str] = []
        #: Whose entries are at stake, and how they and their surroundings were before.
        self.keys: set[ServiceKey] = set()
        self.before: dict[ServiceKey, VirtualEntry] = {}
        self.around: Surroundings | None = None

    @property
    def is_armed(self) -> bool:
        """Whether something may have been changed that the undo takes back."""
        return self._parts > 0

    def arm(self, planned: Plan, found: Look, owned: Collection[ServiceKey]) -> None:
        """Leave the undo of one pass on the director, before the pass runs."""
        self._remember(found, set(owned))
        self._parts += 1
        self._dial = None
        operation = self._run.operation
        part = f"{operation.pk:012d}-{operation.attempt:03d}-{self._parts}"
        result = self._do(undo.arm(self._undo, planned, part), is_fenced=True)
        if result.exit_code == undo.UNDONE:
            raise self._cut_off(None)
        if not result.ok:
            self._parts -= 1
            raise Refusal(
                "no-undo",
                _("%(machine)s: no timed undo could be left there, so nothing was changed"),
                {"machine": self._session.machine},
                said=result.stderr or result.stdout,
                remedy=_(
                    "Mend what the machine names. A director without systemd can be changed with"
                    " the timed undo set to 0."
                ),
            )
        self.cannot_undo += undo.cannot_undo(planned)

    def _remember(self, found: Look, owned: set[ServiceKey]) -> None:
        """Note what was there before. Where an earlier try has begun, the last observation
        knows that, and the machine does not."""
        has_begun = self._undo.operation in found.surroundings.undos and not self._parts
        if owned - self.keys:
            table = planned.observed_table(self._director) if has_begun else found.read.table
            self.before |= {key: table[key] for key in owned - self.keys if key in table}
            self.keys |= owned
        if self.around is None:
            self.around = (
                Surroundings.from_json(self._director.observed_facts)
                if has_begun
                else found.surroundings
            )

    def looking(self) -> None:
        """A look begins: after a change, try a new connection meanwhile."""
        if self._parts and self._dial is None:
            dial = machines.redial(self._director.host)
            pool = ThreadPoolExecutor(1, thread_name_prefix="redial")
            self._dial = pool.submit(_try, dial, patience_for(self._director))
            pool.shutdown(wait=False)

    def saw(self, found: Look) -> None:
        """Refuse to go on where the director has undone this operation by itself."""
        when = found.surroundings.undos.get(self._undo.operation)
        if when is not None:
            raise self._cut_off(when)

    def confirm(self, found: Look) -> None:
        """The table is proved: see that a new connection could be made, then take the undo
        away, and those that unfinished operations have left."""
        if self._dial is not None:
            try:
                self._dial.result()
            except RemoteError as error:
                raise self._no_way(error) from error
        if self._parts or found.surroundings.undos:
            self._settle()

    def _settle(self) -> None:
        result = self._do(undo.settle(self._undo), is_fenced=True)
        if result.exit_code == undo.UNDONE:
            raise self._cut_off(None)
        self._parts = 0

    def keep(self) -> None:
        """Leave what took effect as it is."""
        self._settle()

    def look(self) -> Look:
        """What is there after undoing."""
        return observe.look_whole(self._do, self._session.machine)

    def fire(self) -> bool:
        """Undo now; False when the director had done so by itself."""
        self._parts = 0
        return undo.CLAIMED in self._do(undo.fire(self._undo)).stdout

    def _do(self, step: Step, *, is_fenced: bool = False) -> Result:
        return self._run.run(self._session, step, fence=self.fence if is_fenced else None)

    def _cut_off(self, when: int | None) -> CutOff:
        self._parts = 0
        remedy = _(
            "See what the change does to the console's own way there: addresses, routes, rules."
            " What is declared stays: change it, then apply again."
        )
        if when is None:
            return CutOff(
                "cut-off",
                _("%(machine)s: nobody confirmed the change in time, so the director undid it"),
                {"machine": self._session.machine},
                remedy=remedy,
            )
        return CutOff(
            "cut-off",
            _(
                "%(machine)s: the change cut the console off; the director undid it by itself"
                " at %(time)s UTC"
            ),
            {
                "machine": self._session.machine,
                "time": f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S}",
            },
            remedy=remedy,
        )

    def _no_way(self, error: RemoteError) -> Refusal:
        return Refusal(
            "cut-off",
            _("%(machine)s: after the change no new connection could be made"),
            {"machine": self._session.machine},
            said=str(error),
            remedy=_(
                "See what the change does to the console's own way there: addresses, routes,"
                " rules. What is declared stays: change it, then apply again."
            ),
        )


@contextmanager
def rolled_back(guard: Guard, director: Director) -> Iterator[None]:
    """Where the body fails after it changed something, put back what was there before it
    began, or keep what took effect, as the director is set; never half.

    Nothing is done where the machine does not answer, or nobody wants the operation any
    more: the timer does it then.
    """
    saved = director.saved_digest
    try:
        yield
    except (CutOff, Stopped, HostUnreachable, OutcomeUnknown):
        raise
    except Exception as error:
        if not guard.is_armed:
            raise
        if director.on_failure == Director.OnFailure.KEEP:
            guard.keep()
            raise
        left = _roll_back(guard, director)
        if not left:
            Director.objects.filter(pk=director.pk).update(saved_digest=saved)
        if not isinstance(error, Refusal):
            raise
        raise _with_rollback(error, [*left, *guard.cannot_undo]) from error


def _roll_back(guard: Guard, director: Director) -> list[str]:
    """Undo, look, and write down what was seen; what is not as it was before."""
    is_ours = guard.fire()
    found = guard.look()
    seen.keep_look(director, found, declared.owned_keys(director.virtual_services.all()))
    if not is_ours:
        guard.saw(found)
    return differences(guard.before, guard.around or found.surroundings, found, guard.keys)


def _with_rollback(error: Refusal, left: list[str]) -> Refusal:
    """The same refusal, saying that it was rolled back, and what could not be."""
    remedy = _(
        "It was rolled back: the director is as it was before. Read what the machine said, mend"
        " it, then apply again."
    )
    said = [error.said] if error.said else []
    if left:
        remedy = _(
            "It was rolled back, but not all of it: what is still different stands below. Mend"
            " what the machine names, then apply again."
        )
        said += ["not rolled back:", *left]
    return Refusal(error.code, error.message, error.params, remedy=remedy, said="\n".join(said))


def differences(
    before: Table, around: Surroundings, found: Look, keys: Collection[ServiceKey]
) -> list[str]:
    """What is not as it was before: lines that would mend the table, and what differs
    around it."""
    lines = [line.text for line in planner.plan_lines(before, found.read.table, keys)]
    return lines + [
        f"{one.name}: {getattr(found.surroundings, one.name)}"
        for one in fields(around)
        if one.compare and getattr(around, one.name) != getattr(found.surroundings, one.name)
    ]


def patience_for(director: Director) -> float:
    """Seconds for which a new connection is tried before the change is blamed."""
    return max(_LEAST_PATIENCE, director.confirm_seconds / 2)


def _try(dial: machines.Dial, patience: float) -> None:
    """Dial until it works; raise what went wrong once so many seconds are over."""
    until = time.monotonic() + patience
    while True:
        try:
            return dial()
        except RemoteError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
