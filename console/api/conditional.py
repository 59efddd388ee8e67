"""Conditional requests (RFC 9110, section 13): ETag, If-None-Match, If-Match.

A tag is `"<version>-<digest of the representation>"`. The digest moves with what was
observed, so that a 304 never hides news; the version moves with what people declare, and
is all that If-Match compares: an observation in between is no conflict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from console.errors import Stale
from console.models.fields import StampedModel


def etag_of(data: Any) -> str:
    """The tag of a representation; it begins with its `version` where it has one."""
    digest = hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:16]
    version = data.get("version")
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def is_unmodified(request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the client has this very representation."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in {tag.removeprefix("W/") for tag in known}


def expected_version(request: Request, row: StampedModel) -> int | None:
    """The version that If-Match asks for, None without a condition. Raises Stale.

    The verb compares it once more with the row locked.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    if str(row.version) not in {_version_in(tag) for tag in parse_etags(header)}:
        raise Stale
    return row.version


def _version_in(tag: str) -> str:
    """ "5" of `"5-0123456789abcdef"`; nothing of a weak tag, which If-Match never takes."""
    return "" if tag.startswith("W/") else tag.strip('"').partition("-")[0]


@contextmanager
def unchanged(request: Request, row: StampedModel) -> Iterator[None]:
    """Around a verb that takes no version: the row stays as If-Match wants it until the end.

    Raises Stale.
    """
    expected = expected_version(request, row)
    with transaction.atomic():
        if expected is not None:
            rows = type(row)._base_manager.select_for_update().filter(pk=row.pk)
            if [found.version for found in rows] != [expected]:
                raise Stale
        yield
