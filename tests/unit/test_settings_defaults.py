"""docs/settings.md gives the numbers that the settings really have without an environment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| .+ \|$", re.MULTILINE)


def _numbers() -> Iterator[tuple[str, float]]:
    """Each variable that is read as a number, and its default."""
    source = (ROOT / "console" / "settings" / "tuning.py").read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_number":
            name, default = node.args
            assert isinstance(name, ast.Constant)
            yield str(name.value), float(eval(ast.unparse(default), {"__builtins__": {}}))


DEFAULTS = dict(_numbers())
TOLD = dict(_ROW.findall((ROOT / "docs" / "settings.md").read_text()))


def test_the_numbers_are_found() -> None:
    assert DEFAULTS["EVENKEEL_POLL_INTERVAL"] == 30
    assert DEFAULTS["EVENKEEL_JOURNAL_BYTES"] == 65536


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_defaults_are_told_as_they_are(name: str) -> None:
    assert float(TOLD[name]) == DEFAULTS[name]
