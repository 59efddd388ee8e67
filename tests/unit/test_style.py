"""Colours of the pages: WCAG 2.2 AA (1.4.3: 4.5:1 for text; 1.4.11: 3:1 for controls)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "console" / "static" / "console" / "evenkeel.css"
_TOKEN = re.compile(r"--ek-([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
TEXT = ["ink", "mute", "accent", "ok", "warn", "bad", "info"]
#: Text tones on the soft ground of their own badge.
SOFT = [(tone, f"{tone}-soft") for tone in ("ok", "warn", "bad", "info")]
PAIRS = [
    *((ink, ground) for ink in TEXT for ground in ("bg", "card")),
    *((ink, "chip") for ink in ("ink", "mute")),
    *(("ink", soft) for _tone, soft in SOFT),
    *(("mute", soft) for _tone, soft in SOFT),
    *SOFT,
    ("accent-ink", "accent"),
]


def _tokens() -> dict[str, tuple[str, str]]:
    return {name: (light, dark) for name, light, dark in _TOKEN.findall(CSS.read_text())}


def _luminance(colour: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_contrast_is_counted_as_wcag_counts_it() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read(ink: str, ground: str, theme: int) -> None:
    tokens = _tokens()
    assert _contrast(tokens[ink][theme], tokens[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_edge_of_a_control_can_be_seen(theme: int) -> None:
    tokens = _tokens()
    assert _contrast(tokens["edge"][theme], tokens["card"][theme]) >= 3
