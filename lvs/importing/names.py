"""Names for what has none: from comments and groups of a keepalived.conf, else the address."""

from __future__ import annotations

import re
from collections.abc import Collection

from lvs.keepalived.table import Origin

_LONGEST = 64
#: A comment of more words than this is an explanation, not a name.
_WORDS = 5


def suggest(key: str, origin: Origin | None, taken: Collection[str]) -> str:
    """A name that is free and that `NameField` takes."""
    words = [origin.comment, _group(origin), origin.server.virtualhost] if origin else []
    names = [slug(text) for text in words if text and len(text.split()) <= _WORDS]
    wanted = next((name for name in names if name), "")
    if not wanted:
        return _free(slug(key), taken)
    return wanted if wanted not in taken else _free(slug(f"{wanted}-{key}"), taken)


def slug(text: str) -> str:
    """A text as a name: letters, digits, dots and dashes."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    return plain[:_LONGEST]


def _group(origin: Origin) -> str:
    return origin.group.name if origin.group else ""


def _free(name: str, taken: Collection[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        tail = f"-{number}"
        candidate, number = f"{name[: _LONGEST - len(tail)]}{tail}", number + 1
    return candidate
