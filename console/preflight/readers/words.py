"""Small readings that every subject needs: numbers, versions, JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from ..frame import storable

_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)
_VERSION = re.compile(r"(?<![\d.])(\d{1,6}(?:\.\d{1,6}){1,3})", re.ASCII)
_EPOCH = re.compile(r"\A\d+:(?=\d)", re.ASCII)


def number(text: str) -> int | None:
    """A whole number of at most 18 digits, else None."""
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def decimal(text: str) -> float | None:
    """A plain decimal number, else None."""
    text = text.strip()
    return float(text) if _DECIMAL.fullmatch(text) else None


def version(lines: tuple[str, ...]) -> str:
    """The first dotted number in the first line that has one: "1.31" out of
    "ipvsadm v1.31 2019/12/24" and out of Debian's "1:1.31-1+b1". Else empty."""
    for line in lines:
        if found := _VERSION.search(_EPOCH.sub("", line.strip())):
            return found[1]
    return ""


def json_list(text: str) -> list[dict[str, Any]] | None:
    """A JSON array of objects, else None; what is not an object is left out."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list):
        return None
    return [item for item in value if isinstance(item, dict)]


def word(value: Any) -> str:
    """A string out of JSON, empty for anything else."""
    return storable(value) if isinstance(value, str) else ""


def whole(value: Any) -> int | None:
    """A number out of JSON that fits into 64 bits, None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return None
