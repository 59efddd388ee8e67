"""Serves the few files of `node_modules` that pages use, under `/static/vendor/`.

Nothing else of the npm packages is ever published, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Error
from django.core.files.storage import FileSystemStorage

#: Stylesheets and scripts, and what those name in turn: source maps, for debuggers.
FILES = (
    "@tabler/core/dist/css/tabler.min.css",
    "@tabler/core/dist/css/tabler.min.css.map",
    "@tabler/core/dist/js/tabler.min.js",
    "@tabler/core/dist/js/tabler.min.js.map",
    "htmx.org/dist/htmx.min.js",
    "uplot/dist/uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css",
)
PREFIX = "vendor"


class NpmFinder(BaseFinder):
    """Finds `vendor/PACKAGE/PATH` for the files listed above, and for no other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=settings.BASE_DIR / "node_modules")
        self.storage.prefix = PREFIX  # type: ignore[attr-defined]

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        collected = settings.STATIC_ROOT / PREFIX  # all that is left in a container's image
        missing = [
            name
            for name in FILES
            if not self.storage.exists(name) and not (collected / name).exists()
        ]
        if not missing:
            return []
        return [
            Error(
                f"Files of npm packages are missing: {', '.join(missing)}.",
                hint="Run ./setup.sh run.",
                id="console.E001",
            )
        ]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        name = path.removeprefix(f"{PREFIX}/")
        if name == path or name not in FILES or not self.storage.exists(name):
            return []
        return [self.storage.path(name)] if find_all else self.storage.path(name)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        return ((name, self.storage) for name in FILES if self.storage.exists(name))
