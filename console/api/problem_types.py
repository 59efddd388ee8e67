"""Every kind of problem that the API answers: code, status, title, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem. `code` is stable; title and remedy are for people."""

    code: str
    status: int
    title: str | Promise
    remedy: str | Promise


_TYPES = (
    ProblemType(
        "invalid",
        400,
        _("The request has invalid values"),
        _("Mend the fields that “errors” names, then send it again."),
    ),
    ProblemType(
        "malformed",
        400,
        _("The request cannot be read"),
        _("Send one JSON document in UTF-8."),
    ),
    ProblemType(
        "invalid-cursor",
        400,
        _("The cursor is not valid"),
        _("Begin at the first page, and follow “next” and “previous” with the same “sort”."),
    ),
    ProblemType("refused", 400, _("The request was refused"), _("Read “detail”.")),
    ProblemType(
        "not-authenticated",
        401,
        _("Who asks is not known"),
        _("Send “Authorization: Bearer” with an API token, or log in."),
    ),
    ProblemType(
        "invalid-token",
        401,
        _("The token is not valid"),
        _("Make a new API token: this one is wrong, expired or revoked."),
    ),
    ProblemType(
        "forbidden",
        403,
        _("You may not do this"),
        _("Ask an administrator or an owner of the tenant for another role."),
    ),
    ProblemType(
        "insufficient-scope",
        403,
        _("The token does not reach this far"),
        _("Make a token with the scope that “detail” names."),
    ),
    ProblemType(
        "csrf-failed",
        403,
        _("The request does not prove that it comes from this site"),
        _("Send the CSRF token in “X-CSRFToken”, or use an API token."),
    ),
    ProblemType(
        "not-found",
        404,
        _("There is no such thing here"),
        _("Look at the address; what you may not see does not exist for you."),
    ),
    ProblemType(
        "method-not-allowed",
        405,
        _("This cannot be done to this address"),
        _("Use one of the methods that “Allow” names."),
    ),
    ProblemType(
        "not-acceptable",
        406,
        _("No answer of the wanted kind"),
        _("Accept application/json."),
    ),
    ProblemType(
        "busy",
        409,
        _("Another operation holds this object"),
        _("Wait for the operation that “operation” names, or cancel it."),
    ),
    ProblemType(
        "wrong-state",
        409,
        _("The object is not in a state that allows this"),
        _("Read “detail”, change what it says, then try again."),
    ),
    ProblemType(
        "would-not-work",
        409,
        _("It would not work where the machines stand"),
        _("Read “detail”: it says what stands in the way, and what mends it."),
    ),
    ProblemType(
        "idempotency-key-in-use",
        409,
        _("The first request with this Idempotency-Key is still being answered"),
        _("Send the same request again in a moment."),
    ),
    ProblemType(
        "stale",
        412,
        _("The object has changed since you read it"),
        _("Read it again, then send the change with its new ETag."),
    ),
    ProblemType("too-large", 413, _("The body is too large"), _("Send it in parts.")),
    ProblemType(
        "unsupported-media-type",
        415,
        _("The body is of a kind that is not read here"),
        _("Send “Content-Type: application/json”."),
    ),
    ProblemType(
        "idempotency-key-reused",
        422,
        _("This Idempotency-Key belongs to another request"),
        _("Use a new key for a new request."),
    ),
    ProblemType(
        "throttled",
        429,
        _("Too many requests"),
        _("Wait for as many seconds as “Retry-After” says."),
    ),
    ProblemType(
        "error",
        500,
        _("The console failed"),
        _("Try again; if it stays, give the operator the “X-Request-Id” of this answer."),
    ),
)

PROBLEM_TYPES: dict[str, ProblemType] = {problem.code: problem for problem in _TYPES}
PROBLEM_CODES = tuple(PROBLEM_TYPES)
#: The code of a status that nothing more particular was said about.
DEFAULT_CODES: dict[int, str] = {
    400: "refused",
    401: "not-authenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "wrong-state",
    412: "stale",
    413: "too-large",
    415: "unsupported-media-type",
    429: "throttled",
}
