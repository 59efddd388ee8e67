"""Reading pages in tests: the parts of the HTML that a promise is about."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class Page:
    """A parsed answer: its status, its text with single blanks, its tags."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status = response.status_code
        self.html = response.content.decode()
        reader = _Reader()
        reader.feed(self.html)
        self._tags = reader.tags
        self.text = " ".join(" ".join(reader.words).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of every such tag; `class_` asks for one class among others."""
        wanted = dict(attributes)
        class_ = wanted.pop("class_", "")
        return [
            found
            for name, found in self._tags
            if name == tag
            and (not class_ or class_ in found.get("class", "").split())
            and all(found.get(key) == value for key, value in wanted.items())
        ]

    def links(self) -> set[str]:
        """Every address that an anchor leads to."""
        return {found["href"] for found in self.all("a") if "href" in found}

    def posts(self) -> set[str]:
        """Every address that a form posts to."""
        return {found.get("action", "") for found in self.all("form", method="post")}


def get(client: Client, path: str, query: dict[str, Any] | None = None, **extra: Any) -> Page:
    """The page at `path`; it must be there (200)."""
    page = Page(client.get(path, query or {}, **extra))
    assert page.status == 200, f"{path}: {page.status}"
    return page
