"""RFC 9457 problem details: one shape for whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.settings import api_settings

from console.api.problem_types import DEFAULT_CODES, PROBLEM_TYPES
from console.errors import Busy, VerbRefused

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"

#: What REST framework raises, by our code.
_CODES: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "malformed",
    exceptions.AuthenticationFailed: "invalid-token",
    exceptions.NotAuthenticated: "not-authenticated",
    exceptions.NotFound: "not-found",
    exceptions.MethodNotAllowed: "method-not-allowed",
    exceptions.NotAcceptable: "not-acceptable",
    exceptions.UnsupportedMediaType: "unsupported-media-type",
    exceptions.Throttled: "throttled",
}


class ApiProblem(exceptions.APIException):
    """A problem that the API itself finds. `code` is one of PROBLEM_TYPES."""

    def __init__(self, code: str, detail: str) -> None:
        self.status_code = PROBLEM_TYPES[code].status
        self.code = code
        super().__init__(detail)


class Replayed(exceptions.APIException):
    """Not a problem: the answer that a request was given before, to be given again."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__("")
        self.answer = answer


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """The answer to what a view raised, or None for what nobody foresaw."""
    if isinstance(error, Replayed):
        return error.answer
    request: HttpRequest = context["request"]
    found = _problem_of(error)
    if found is None:
        return None
    code, detail, more = found
    status = error.status_code if isinstance(error, exceptions.APIException) else None
    if isinstance(error, Busy):
        more["operation"] = reverse(
            "api:operation-detail", args=[error.operation.pk], request=request
        )
    response = Response(
        problem(code, detail, instance=request.path, status=status, **more),
        status=status or PROBLEM_TYPES[code].status,
        content_type=CONTENT_TYPE,
    )
    if isinstance(error, exceptions.APIException):
        if header := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = header
        if (wait := getattr(error, "wait", None)) is not None:
            response["Retry-After"] = str(max(1, int(wait)))
    return response


def _problem_of(error: Exception) -> tuple[str, str, dict[str, Any]] | None:
    """Code, detail and further members of an exception."""
    if isinstance(error, VerbRefused):
        return (error.code if error.code in PROBLEM_TYPES else "refused"), str(error), {}
    if isinstance(error, DjangoValidationError):
        return _invalid(list(_django_errors(error)))
    if isinstance(error, exceptions.ValidationError):
        return _invalid(list(_framework_errors(error.detail)))
    if isinstance(error, Http404):
        return "not-found", str(PROBLEM_TYPES["not-found"].remedy), {}
    if isinstance(error, PermissionDenied):
        return "forbidden", str(error) or str(PROBLEM_TYPES["forbidden"].title), {}
    if isinstance(error, RequestDataTooBig):
        return "too-large", str(PROBLEM_TYPES["too-large"].title), {}
    if isinstance(error, ApiProblem):
        return error.code, str(error.detail), {}
    if isinstance(error, exceptions.APIException):
        default = DEFAULT_CODES.get(error.status_code, "refused")
        return _CODES.get(type(error), default), str(error.detail), {}
    return None


def _invalid(errors: list[dict[str, str]]) -> tuple[str, str, dict[str, Any]]:
    detail = " ".join(
        f"{error['field']}: {error['message']}" if error["field"] else error["message"]
        for error in errors[:3]
    )
    return "invalid", detail, {"errors": errors}


def problem(
    code: str, detail: str, *, instance: str, status: int | None = None, **more: Any
) -> dict[str, Any]:
    """The members of a problem document (RFC 9457, section 3)."""
    kind = PROBLEM_TYPES[code]
    return _printable(
        {
            "type": f"{API_PREFIX}v1/problem-types/{code}/",
            "title": str(kind.title),
            "status": status or kind.status,
            "detail": detail,
            "code": code,
            "instance": instance,
            **more,
        }
    )


def _django_errors(error: DjangoValidationError) -> Iterator[dict[str, str]]:
    """One entry for each message of a model's or a verb's refusal."""
    fields = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
    for field, errors in fields.items():
        for one in errors:
            for message in one.messages:
                path = field.removesuffix(NON_FIELD_ERRORS).rstrip(".")
                yield {
                    "field": path,
                    "code": one.code or "invalid",
                    "message": message,
                }


def _framework_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """One entry for each message of a serializer's refusal, with its path in dots."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            is_general = name == api_settings.NON_FIELD_ERRORS_KEY
            step = "" if is_general else str(name)
            yield from _framework_errors(inner, ".".join(filter(None, [path, step])))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _framework_errors(inner, f"{path}.{index}" if nested else path)
    else:
        code = str(getattr(detail, "code", "invalid"))
        yield {"field": path, "code": code, "message": str(detail)}


def _printable(value: Any) -> Any:
    """The same with lone surrogates replaced: what came in as text goes out as UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_printable(name): _printable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return value


class ProblemMiddleware:
    """Gives the API's form to the refusals that never reach a view: bad hosts, bodies that
    are too large, and failures that nobody foresaw."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if (
            response.status_code < 400
            or not request.path_info.startswith(API_PREFIX)
            or response.get("Content-Type", "").startswith(CONTENT_TYPE)
            or (settings.DEBUG and response.status_code >= 500)
        ):
            return response
        code = DEFAULT_CODES.get(response.status_code)
        code = code or ("error" if response.status_code >= 500 else "refused")
        detail = str(PROBLEM_TYPES[code].remedy)
        body = problem(code, detail, instance=request.path, status=response.status_code)
        answer = HttpResponse(json.dumps(body), CONTENT_TYPE, status=response.status_code)
        for name in ("X-Request-Id", "Allow", "Retry-After"):
            if name in response:
                answer[name] = response[name]
        return answer
