"""The OpenAPI document: what every operation takes and answers beside its own documents."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from console.api import idempotency, problems
from console.api.problem_types import PROBLEM_CODES, PROBLEM_TYPES

_HEADER: Literal["header"] = "header"
_INTEGER = {"type": "integer"}

_IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": r"^[!-~]{1,255}$"},
    _HEADER,
    description="Of your choice, one for each change. Sent again with the same document, the"
    " request gets the same answer and is not done again, for 24 hours.",
)
_IF_MATCH = OpenApiParameter(
    "If-Match", str, _HEADER, description="The ETag that you read; 412 when it has changed."
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, _HEADER, description="The ETag that you have; 304 when it is current."
)
_ETAG = OpenApiParameter("ETag", str, _HEADER, response=[200, 201, 304])
_LOCATION = OpenApiParameter(
    "Location", {"type": "string", "format": "uri"}, _HEADER, response=[201, 202]
)
_REPLAYED = OpenApiParameter(
    idempotency.REPLAYED,
    {"type": "string", "enum": ["true"]},
    _HEADER,
    response=[200, 201, 202],
    description="Set when this answer was given before.",
)
_RATE = [
    OpenApiParameter(f"RateLimit-{name}", _INTEGER, _HEADER, response=True, description=text)
    for name, text in (
        ("Limit", "Requests in one window."),
        ("Remaining", "Requests that are left in this window."),
        ("Reset", "Seconds until the next window."),
    )
]
_RETRY_AFTER = OpenApiParameter("Retry-After", _INTEGER, _HEADER, response=[429])

#: What every operation may answer, what depends on the address, and what on the method.
_ALWAYS = (400, 401, 403, 406, 429)
_BY_METHOD = {
    "GET": (),
    "POST": (409, 413, 415, 422),
    "PUT": (409, 413, 415),
    "PATCH": (409, 412, 413, 415),
    "DELETE": (409, 412, 413, 415),
}


class FieldErrorSerializer(serializers.Serializer):
    """One field that was refused, and why."""

    field = serializers.CharField(
        help_text='Its path in the document, such as real_servers.0.rip; "" for the whole.',
        allow_blank=True,
    )
    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """Problem details (RFC 9457)."""

    type = serializers.CharField(help_text="Leads to a description of this kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.ChoiceField(choices=PROBLEM_CODES, help_text="Stable.")
    instance = serializers.CharField(help_text="The address that was asked.")
    errors: Any = FieldErrorSerializer(many=True, required=False)
    operation = serializers.URLField(
        required=False, help_text="The operation that holds the object, where one does."
    )


class ProblemAutoSchema(AutoSchema):
    """Adds the problems, the conditional and idempotent headers, and the rate limits."""

    def get_tags(self) -> list[str]:
        first, *rest = self._tokenize_path()
        return [rest[0] if first == "lvs" and rest else first]

    def get_summary(self) -> str:
        """The first sentence of the method's docstring, else of the class's."""
        return self.get_description().split("\n")[0].partition(". ")[0].rstrip(".")

    def _is_detail(self) -> bool:
        from console.api.views.base import DetailView

        return isinstance(self.view, DetailView)

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = [*_RATE, _RETRY_AFTER, _ETAG, _LOCATION]
        if self.method == "POST":
            parameters += [_IDEMPOTENCY_KEY, _REPLAYED]
        if self.method == "GET" and self._is_detail():
            parameters.append(_IF_NONE_MATCH)
        if self.method in ("PATCH", "DELETE"):
            parameters.append(_IF_MATCH)
        return parameters

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        statuses = {*_ALWAYS, *_BY_METHOD[self.method]}
        if "{" in self.path:
            statuses.add(404)
        if self.method == "GET" and self._is_detail():
            bodies["304"] = {
                **self._get_response_for_code(None, "304", direction=direction),
                "description": "You have the current one.",
            }
        for body in bodies.values():
            body["description"] = body["description"] or "Done."
        for status in sorted(statuses):
            body = self._get_response_for_code(
                ProblemSerializer, str(status), [problems.CONTENT_TYPE], direction
            )
            titles = [str(kind.title) for kind in PROBLEM_TYPES.values() if kind.status == status]
            bodies[str(status)] = {**body, "description": "; ".join(titles)}
        return bodies


def close_requests(result: dict[str, Any], **_known: Any) -> dict[str, Any]:
    """Say that documents sent here have no other members than those that are named."""
    for name, component in result["components"]["schemas"].items():
        if name.endswith("Request") and component.get("type") == "object":
            component["additionalProperties"] = False
    return result


def share(result: dict[str, Any], **_known: Any) -> dict[str, Any]:
    """Write problems and response headers down once and refer to them: a tenth of the size."""
    responses = result["components"].setdefault("responses", {})
    headers = result["components"].setdefault("headers", {})
    for operations in result["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            for status, answer in answers.items():
                for name, header in answer.get("headers", {}).items():
                    headers[name] = header
                    answer["headers"][name] = {"$ref": f"#/components/headers/{name}"}
                if problems.CONTENT_TYPE in answer.get("content", {}):
                    responses[f"Problem{status}"] = answer
                    answers[status] = {"$ref": f"#/components/responses/Problem{status}"}
    return result
