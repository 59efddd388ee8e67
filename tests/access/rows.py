"""The form of the access matrix: one row for each address and method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLResolver, get_resolver

from tests.access.scene import Scene

#: Who asks, in the order of the columns.
CAST = (
    "alice",  # owner
    "bob",  # operator
    "ray",  # viewer
    "charlie",  # owner of another tenant
    "administrator",
    "operator",
    "auditor",
    "anonymous",
)
#: What a browser is answered that has to log in first.
LOGIN = "login"

Body = dict[str, Any] | Callable[[Scene], dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """One address and method, about one object of the scene, and the answer to each of CAST.

    An answer is a status, or "login" for the way to the login page. `about` names an
    attribute of the scene, or "token" for a token of whoever asks; `send` is the body,
    `query` what follows the path.
    """

    name: str
    method: str
    answers: str
    about: str = ""
    send: Body = field(default_factory=dict)
    query: Callable[[Scene], str] = field(default=lambda scene: "")

    def __str__(self) -> str:
        return f"{self.method} {self.name}"

    def body(self, scene: Scene) -> dict[str, Any]:
        return self.send(scene) if callable(self.send) else self.send


def routes(
    resolver: URLResolver | None = None, namespace: str = "", taken: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every address of the URLconf: its name with namespaces, and the values that it takes."""
    for pattern in (resolver or get_resolver()).url_patterns:
        takes = (*taken, *pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern, inner, takes)
        else:
            yield f"{namespace}{pattern.name}", takes
