"""What every request carries: an id, and refusals of verbs turned into pages."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from console.errors import Busy, VerbRefused


class RequestContextMiddleware:
    """Gives the request an id, and answers a refused verb in the browser with its words.

    A refusal of a POST goes back to the page it came from, with the reason on top; of a
    GET it is a page of its own with the status that the API would answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.evenkeel_request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.evenkeel_request_id  # type: ignore[attr-defined]
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, VerbRefused) or request.path.startswith("/api/"):
            return None
        came_from = request.META.get("HTTP_REFERER", "")
        is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()})
        if request.method == "POST" and is_ours and error.status != 403:
            messages.error(request, str(error))
            return redirect(came_from)
        operation = error.operation if isinstance(error, Busy) else None
        return render(
            request,
            "refused.html",
            {"error": error, "operation": operation},
            status=error.status,
        )
