"""Idempotency-Key: a POST that is sent twice is done once and answered alike.

The key is claimed in a row of its own before the work begins, and the work and its answer
are committed together. A process that dies in between therefore leaves a claim and nothing
else, and whoever repeats the request takes the claim over. What was refused because of the
moment (409) is not kept: nothing was done, and trying again is the point.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console import crypto
from console.api.problems import ApiProblem, Replayed
from console.models import IdempotentAnswer

HEADER = "Idempotency-Key"
#: Set to "true" on an answer that was given before.
REPLAYED = "Idempotency-Replayed"
#: How long an answer is kept.
KEPT_FOR = timedelta(hours=24)
#: A claim that is older than this and has no answer was left by a process that died.
ABANDONED_AFTER = timedelta(minutes=2)
#: What a key may be: visible ASCII, as in the IETF's draft.
KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"

_KEPT_HEADERS = ("Location", "ETag")

Handler = Callable[..., Response]


def key_of(request: Request) -> str | None:
    """The request's key, or None. Raises ValidationError for one that is no key."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not re.fullmatch(KEY_PATTERN, key):
        message = _("Give 1 to 255 visible ASCII characters.")
        raise ValidationError({HEADER: [ErrorDetail(message, code="invalid_key")]})
    return key


def once(view: APIView, handler: Handler, key: str) -> Handler:
    """The handler, done at most once for this user and key.

    It raises Replayed for a request that was answered before, and ApiProblem for a key of
    another request (422) or of one that is still being answered (409).
    """

    def done_once(request: Request, *args: Any, **kwargs: Any) -> Response:
        claim = _claim(request, key)
        try:
            with transaction.atomic():
                response = _attempt(view, handler, request, *args, **kwargs)
                _keep(claim, response)
        except BaseException:
            _held(claim).delete()
            raise
        return response

    return done_once


def _attempt(
    view: APIView, handler: Handler, request: Request, *args: Any, **kwargs: Any
) -> Response:
    """What the handler answers, or the problem that it raised with all its writes undone."""
    try:
        with transaction.atomic():
            return handler(request, *args, **kwargs)
    except Exception as error:  # handle_exception raises again what nobody foresaw
        return view.handle_exception(error)


def _held(claim: IdempotentAnswer) -> Any:
    """The row, as long as this claim holds it."""
    return IdempotentAnswer.objects.filter(pk=claim.pk, status=None, created_at=claim.created_at)


def _claim(request: Request, key: str) -> IdempotentAnswer:
    now = timezone.now()
    digest = _digest(request)
    user_pk: Any = request.user.pk  # nobody without an account comes this far
    rows = IdempotentAnswer.objects.filter(user_id=user_pk)
    rows.filter(created_at__lt=now - KEPT_FOR).delete()
    try:
        with transaction.atomic():
            return rows.create(user_id=user_pk, key=key, request_digest=digest, created_at=now)
    except IntegrityError:
        found = rows.filter(key=key).first()
    if found is None:
        raise _in_use()  # its first request was refused a moment ago
    if found.request_digest != digest:
        raise ApiProblem(
            "idempotency-key-reused",
            _("This Idempotency-Key was sent with another request before."),
        )
    if found.status is not None:
        raise Replayed(_kept(found))
    abandoned = found.created_at < now - ABANDONED_AFTER
    if not abandoned or not _held(found).update(created_at=now):
        raise _in_use()
    found.created_at = now
    return found


def _in_use() -> ApiProblem:
    return ApiProblem(
        "idempotency-key-in-use",
        _("The first request with this Idempotency-Key is still being answered."),
    )


def _digest(request: Request) -> str:
    """Which request it is: address and document, however the document is spelt."""
    document = json.dumps(request.data, sort_keys=True)
    text = "\n".join([request.method or "", request.get_full_path(), document])
    return salted_hmac("console.api.idempotency", text, algorithm="sha256").hexdigest()


def _keep(claim: IdempotentAnswer, response: Response) -> None:
    """Write the answer down, sealed: it may show a secret that is shown only once."""
    if response.status_code == 409:
        _held(claim).delete()
        return
    body = b"" if response.data is None else JSONRenderer().render(response.data)
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    headers["Content-Type"] = response.content_type or JSONRenderer.media_type
    kept = _held(claim).update(
        status=response.status_code, headers=headers, body=crypto.encrypt(body.decode())
    )
    if not kept:
        raise _in_use()  # somebody took the claim over: let theirs be the one that counts


def _kept(answer: IdempotentAnswer) -> HttpResponse:
    response = HttpResponse(crypto.decrypt(answer.body), status=answer.status)
    for name, value in answer.headers.items():
        response[name] = value
    if answer.status == 204:
        del response["Content-Type"]
    response[REPLAYED] = "true"
    return response
