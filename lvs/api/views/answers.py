"""Answers that directors and virtual services have in common."""

from __future__ import annotations

from rest_framework.response import Response

from console.api.views.base import ApiView
from console.models import Operation
from console.planning import Plan
from lvs.models import Director


def ended_or_begun(view: ApiView, operation: Operation | None) -> Response:
    """204 when it is done, 202 with the operation when it has to be put in place."""
    return view.begun(operation) if operation else Response(status=204)


def plan_answer(view: ApiView, director: Director, plan: Plan) -> Response:
    """A plan, and the age of the observation that it was made from."""
    values = {
        "observed_at": director.observed_at,
        "removals": plan.removals,
        "steps": plan.steps,
    }
    return Response(view.get_serializer(values).data)
