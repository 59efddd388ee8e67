"""Which files of npm packages the console serves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from console.staticfiles import FILES, NpmFinder

PACKAGES = Path(settings.BASE_DIR) / "node_modules"


@pytest.mark.parametrize("name", FILES)
def test_each_listed_file_is_served_from_its_package(name: str) -> None:
    assert finders.find(f"vendor/{name}") == str(PACKAGES / name)


@pytest.mark.parametrize(
    "name",
    [
        "vendor/htmx.org/package.json",
        "vendor/@tabler/core/dist/css/tabler.css",
        "vendor/../package.json",
        "htmx.org/dist/htmx.min.js",
    ],
)
def test_no_other_file_of_a_package_is_served(name: str) -> None:
    assert (PACKAGES / "htmx.org" / "package.json").is_file()
    assert finders.find(name) is None
    assert finders.find(name, find_all=True) == []


def test_collecting_takes_the_listed_files_and_no_other() -> None:
    listed = list(NpmFinder().list(None))
    assert [name for name, _ in listed] == list(FILES)
    assert {storage.prefix for _, storage in listed} == {"vendor"}


def test_a_missing_package_is_an_error_that_says_what_to_run(
    tmp_path: Path, settings: pytest.FixtureRequest
) -> None:
    settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
    settings.STATIC_ROOT = tmp_path / "static"  # type: ignore[attr-defined]
    (error,) = NpmFinder().check()
    assert "htmx.org/dist/htmx.min.js" in error.msg
    assert error.hint == "Run ./setup.sh run."


def test_files_that_were_collected_need_no_packages(
    tmp_path: Path, settings: pytest.FixtureRequest
) -> None:
    settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
    settings.STATIC_ROOT = tmp_path / "static"  # type: ignore[attr-defined]
    for name in FILES:
        (tmp_path / "static" / "vendor" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "static" / "vendor" / name).touch()
    assert NpmFinder().check() == []


def test_every_file_that_a_template_names_is_served() -> None:
    named = set()
    for template in Path(settings.BASE_DIR).glob("**/templates/**/*.html"):
        if not {"node_modules", ".venv"} & set(template.parts):
            named |= set(re.findall(r"""{% static ['"]([^'"]+)['"]""", template.read_text()))
    assert named
    assert [name for name in sorted(named) if finders.find(name) is None] == []
