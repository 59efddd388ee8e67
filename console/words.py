"""Sentences that workers store in English and people read in their own language.

Beside a stored text stand its words: the marked English format string and what is filled in,
as JSON, {"message": …, "params": {…}}, and "said" for what a machine added. Words are empty
where the text is the machine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext


def words_of(message: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
    """A marked sentence as it is stored."""
    return {"message": message, "params": dict(params or {})}


def error_fields(message: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
    """The fields of an operation that say what went wrong."""
    return {"error": message % (params or {}), "error_words": words_of(message, params)}


def localised(text: str) -> str:
    """A marked sentence in the reader's language; any other text, and "", as it is."""
    return gettext(text) if text else ""


def spoken(text: str, words: Mapping[str, Any]) -> str:
    """A stored text in the reader's language, where its words are known."""
    if not words:
        return text
    sentence = gettext(words["message"]) % words["params"]
    return f"{sentence}: {words['said']}" if words.get("said") else sentence
