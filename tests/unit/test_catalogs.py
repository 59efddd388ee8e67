"""Compiling translations without GNU gettext."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest

from console.catalogs import compile_catalogs

CATALOGUE = """\
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Hosts"
msgstr "主机"
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True)
    path.write_text(CATALOGUE)
    return path


def test_a_compiled_catalogue_translates(tmp_path: Path, source: Path) -> None:
    assert compile_catalogs(tmp_path) == [source.with_suffix(".mo")]
    with source.with_suffix(".mo").open("rb") as compiled:
        assert gettext.GNUTranslations(compiled).gettext("Hosts") == "主机"
    assert sorted(path.name for path in source.parent.iterdir()) == ["django.mo", "django.po"]


def test_a_broken_catalogue_is_refused_by_name_and_the_old_one_stays(
    tmp_path: Path, source: Path
) -> None:
    compile_catalogs(tmp_path)
    before = source.with_suffix(".mo").read_bytes()
    source.write_text('msgid "Hosts\nnonsense')
    with pytest.raises(OSError, match=r"django\.po"):
        compile_catalogs(tmp_path)
    assert source.with_suffix(".mo").read_bytes() == before
