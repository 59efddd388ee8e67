"""Applying a cascade: one operation, an apply of each director in turn, and the way back
where a later one fails."""

from __future__ import annotations

import time
from typing import Any

from django.utils import timezone

from console import operations
from console.access import SYSTEM
from console.errors import Busy
from console.execution import Refusal, Run, execute
from console.models import Operation
from console.planning import mark as _
from lvs import declared, planned
from lvs.execute import apply as apply_director
from lvs.ipvsadm import render
from lvs.models import Director

#: Seconds between two looks at an apply that another worker does, or that waits for a retry.
_PATIENCE = 1.0

#: Of one director: the services, and the lines that the kernel had for them before.
Before = tuple[Director, list[int], list[str]]


def apply(run: Run) -> dict[str, Any]:
    """The body of `cascade.apply`: the second tier, then the front; a removal the other way.

    Each director is an apply of its own, with its own journal and its own undo. Where one
    fails, those before it get back what their tables had. A removal that fails goes no
    further: what is left keeps being on its way out.
    """
    tiers: list[tuple[int, list[int]]] = run.operation.parameters["tiers"]
    is_removal = bool(run.operation.parameters.get("is_removal"))
    done: list[Before] = []
    applied = []
    for number, (pk, services) in enumerate(tiers, start=1):
        director = Director.objects.select_related("host").filter(pk=pk).first()
        if director is None:
            raise Refusal.gone(run.operation)
        before = _lines_of(director, services)
        try:
            applied.append(_apply(run, director, {"services": services}).pk)
        except Refusal as refusal:
            left = [] if is_removal else _take_back(run, done)
            raise _with_outcome(refusal, left, is_removal=is_removal) from refusal
        done.append((director, services, before))
        run.progress(100 * number // len(tiers))
    return {"operations": applied}


def _lines_of(director: Director, services: list[int]) -> list[str]:
    """What the kernel had for these services when it was last seen."""
    rows = director.virtual_services.filter(pk__in=services)
    keys = declared.owned_keys(rows)
    table = planned.observed_table(director)
    return render.render_table({key: table[key] for key in keys if key in table})


def _apply(run: Run, director: Director, parameters: dict[str, Any]) -> Operation:
    """One apply as an operation of the director's own, which holds its lock.

    It runs here and now, unless another worker was faster. Raises Refusal when it fails.
    """
    run.check()
    try:
        child = operations.begin(
            SYSTEM,
            "director.apply",
            director,
            parameters=parameters | {"cascade": run.operation.pk},
            reason=f"cascade #{run.operation.pk}",
        )
    except Busy as busy:
        raise Refusal(
            "busy",
            _("%(director)s is busy: operation #%(number)s is not finished"),
            {"director": str(director), "number": busy.operation.pk},
            remedy=_("Wait for it or cancel it, then try again."),
        ) from busy
    while True:
        if child.not_before is None or child.not_before <= timezone.now():
            execute(child.pk, apply_director)
        child.refresh_from_db()
        if child.status == Operation.Status.SUCCEEDED:
            return child
        if child.status not in (Operation.Status.QUEUED, Operation.Status.RUNNING):
            raise Refusal(
                "tier-failed",
                _("%(director)s: its part of the cascade failed in operation #%(number)s"),
                {"director": str(director), "number": child.pk},
                said=child.error,
            )
        run.check()
        time.sleep(_PATIENCE)


def _take_back(run: Run, done: list[Before]) -> list[str]:
    """Give the directors that were done what their tables had; those where that failed."""
    left = []
    for director, services, before in reversed(done):
        try:
            _apply(run, director, {"services": services, "restore": before})
        except Refusal as refusal:
            left.append(f"{refusal}: {refusal.said}")
    return left


def _with_outcome(refusal: Refusal, left: list[str], *, is_removal: bool) -> Refusal:
    """The same refusal, saying what became of the other directors."""
    remedy = _("The other directors have what they had before. Mend the named one, then try again.")
    if is_removal:
        remedy = _("Nothing more was removed. Mend the named director, then try again.")
    elif left:
        remedy = _("What could not be taken back stands below. Mend it, then try again.")
    return Refusal(
        refusal.code,
        refusal.message,
        refusal.params,
        remedy=remedy,
        said="\n".join(filter(None, [refusal.said, *left])),
    )
