"""The one loop: observe, plan, apply, observe again. Success is an empty second plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from console.execution import Refusal, Run
from console.planning import Outcome, Plan
from console.planning import mark as _
from console.remote.session import Session
from console.remote.transport import Fence, OutcomeUnknown

O = TypeVar("O")  # noqa: E741  what was observed

#: Passes before the loop says aloud that the machine does not come to rest.
MAX_PASSES = 3


def converge(
    run: Run,
    session: Session,
    *,
    observe: Callable[[], O],
    plan: Callable[[O], Plan],
    fence: Fence,
    check: Callable[[O, Plan], None] | None = None,
) -> tuple[O, Outcome]:
    """Bring a machine to where `plan` has nothing left to do, and prove it.

    `observe` reads the machine, `plan` is pure. `check` may raise Refusal before a pass
    runs (a cap on removals, say). A step whose outcome is unknown ends its pass: the next
    observation tells what happened. Another pass that leaves as much as there was is the last.
    Returns the last observation and the outcome. Raises Refusal when something is left.
    """
    observed = observe()
    left = plan(observed)
    steps_run, said, passes = 0, "", 0
    while left and passes < MAX_PASSES:
        if check is not None:
            check(observed, left)
        passes += 1
        ran, said, is_known = _apply(run, session, left, fence)
        steps_run += ran
        observed = observe()
        before, left = left, plan(observed)
        if left == before and is_known:
            break
    outcome = Outcome(left=left, passes=passes, steps_run=steps_run, said=said)
    if not outcome.is_converged:
        raise Refusal(
            "not-converged",
            _("%(machine)s: after the change it still differs from what is declared"),
            {"machine": session.machine},
            said="\n".join(filter(None, [said, "still planned:", *describe(left)])),
            remedy=_("Read what the machine said below, mend it, then try again."),
        )
    return observed, outcome


def _apply(run: Run, session: Session, plan: Plan, fence: Fence) -> tuple[int, str, bool]:
    """Run the steps in order; stop at the first that fails or whose outcome is unknown.

    Returns how many ran, what was said, and whether all outcomes are known."""
    said: list[str] = []
    for count, step in enumerate(plan, start=1):
        try:
            result = run.run(session, step, fence=fence)
        except OutcomeUnknown as error:
            run.check()
            return count, str(error), False
        if result.stderr.strip():
            said.append(result.stderr.strip())
        if not result.ok:
            said.append(f"exit code {result.exit_code}")
            return count, "\n".join(said), True
    return len(plan.steps), "\n".join(said), True


def describe(plan: Plan, limit: int = 50) -> list[str]:
    """A plan as lines of text, at most `limit` of them."""
    lines = [
        text
        for step in plan
        for text in ([line.text for line in step.lines] if step.lines else [" ".join(step.argv)])
    ]
    if len(lines) <= limit:
        return lines
    return [*lines[:limit], f"… and {len(lines) - limit} more"]
