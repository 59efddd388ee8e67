"""Reading bodies: JSON of bounded size and depth, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from console.api.problems import ApiProblem

#: No document of this API is deeper than a list of objects in an object.
MAX_DEPTH = 16


class BoundedJSONParser(parsers.JSONParser):
    """JSON (RFC 8259) of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes and MAX_DEPTH levels."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise ApiProblem(
                "too-large", _("The body is longer than %(limit)d bytes.") % {"limit": limit}
            )
        too_deep = ParseError(_("The document is nested too deeply."))
        try:
            document = super().parse(BytesIO(body), media_type, parser_context)
        except RecursionError as error:
            raise too_deep from error
        if _is_deeper(document, MAX_DEPTH):
            raise too_deep
        return document


def _is_deeper(document: Any, limit: int) -> bool:
    """Whether lists and objects lie in each other deeper than `limit`."""
    level = [document]
    for _depth in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)
