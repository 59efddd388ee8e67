"""Every string that people read is in the Chinese catalogue, with its placeholders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
#: Names under which the code marks strings, and how many of the arguments are strings.
_MARKS = {
    "_": 1,
    "gettext": 1,
    "gettext_lazy": 1,
    "gettext_noop": 1,
    "ngettext": 2,
    "ngettext_lazy": 2,
}
#: What `templatize` turns marked strings of a template into.
_CALL = re.compile(
    r"""(?<![\w.])(?:_|gettext|ngettext)\(\s*u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%")


def _sources(pattern: str, *folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob(pattern)):
            if "migrations" not in path.parts and "__pycache__" not in path.parts:
                yield path


def _python_strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in _MARKS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _template_strings(path: Path) -> Iterator[str]:
    for found in _CALL.finditer(templatize(path.read_text(), origin=str(path))):
        yield ast.literal_eval(found[1])


def _marked() -> dict[str, str]:
    """Each string to translate, and a file that has it."""
    strings: dict[str, str] = {}
    for path in _sources("*.py", "console", "lvs", "vps"):
        strings.update(dict.fromkeys(_python_strings(path), str(path.relative_to(ROOT))))
    for path in _sources("*.html", "templates"):
        strings.update(dict.fromkeys(_template_strings(path), str(path.relative_to(ROOT))))
    return strings


@pytest.fixture(scope="module")
def catalog() -> dict[str, polib.POEntry]:
    return {entry.msgid: entry for entry in polib.pofile(str(CATALOG)) if not entry.obsolete}


def _texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_marked_strings_are_found_in_code_and_in_templates() -> None:
    found = _marked()
    assert found["Read the host key"].startswith("console/kinds")
    assert found["Skip to the content"].startswith("templates/")
    assert "%(count)s thing" in found  # blocktranslate count


def test_every_string_is_translated(catalog: dict[str, polib.POEntry]) -> None:
    lacking = {
        text: path
        for text, path in _marked().items()
        if text not in catalog or not all(_texts(catalog[text]))
    }
    assert lacking == {}


def test_nothing_is_kept_that_no_page_says(catalog: dict[str, polib.POEntry]) -> None:
    assert set(catalog) - set(_marked()) == set()


def test_translations_keep_their_placeholders(catalog: dict[str, polib.POEntry]) -> None:
    for msgid, entry in catalog.items():
        wanted = set(_PLACEHOLDER.findall(msgid + entry.msgid_plural))
        for text in _texts(entry):
            assert set(_PLACEHOLDER.findall(text)) == wanted, msgid


def test_no_translation_is_uncertain(catalog: dict[str, polib.POEntry]) -> None:
    assert [msgid for msgid, entry in catalog.items() if "fuzzy" in entry.flags] == []
