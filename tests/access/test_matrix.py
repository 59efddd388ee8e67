"""The whole URLconf × everybody: nobody sees another's, and no address is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.access import matrix_account, matrix_api, matrix_pages
from tests.access.rows import CAST, LOGIN, Row, routes
from tests.access.scene import Scene, make_scene
from tests.conftest import Cast

TABLES = {
    "api": matrix_api.ROWS,
    "pages": matrix_pages.ROWS,
    "account": matrix_account.ROWS,
}
ROWS: list[Row] = [row for rows in TABLES.values() for row in rows]
#: What a browser's forms and a program can say.
METHODS = {"api": ("GET", "POST", "PUT", "PATCH", "DELETE")}
OF_FORMS = ("GET", "POST")
ROUTES = dict(routes())


@pytest.fixture
def scene(cast: Cast) -> Scene:
    return make_scene(cast)


@pytest.fixture
def sessions(scene: Scene, browser: Callable[[str], Client]) -> dict[str, str]:
    """The session of each of the cast; none for the last, who is nobody."""
    return {who: browser(who).cookies[settings.SESSION_COOKIE_NAME].value for who in CAST[:-1]}


def is_api(row: Row) -> bool:
    return ":" in row.name or row.name == "no-such-address"


def address_of(row: Row, scene: Scene, who: str) -> str:
    """The row's address, with the values that it takes."""
    if row.name == "no-such-address":
        return "/api/v1/nothing/"
    known: dict[str, Callable[[], Any]] = {
        "pk": lambda: token_of(scene, who) if row.about == "token" else scene.pk(row.about),
        "user_pk": lambda: scene.cast.ray.pk,
        "username": lambda: "ray",
        "code": lambda: "busy",
        "key": lambda: "nothing",
        "uidb36": lambda: "1",
        "number": lambda: 1,
    }
    values = {name: known[name]() for name in ROUTES[row.name]}
    return reverse(row.name, kwargs=values) + row.query(scene)


def token_of(scene: Scene, who: str) -> int:
    """A token of whoever asks; of alice where nobody does."""
    owner = scene.cast.alice if who == "anonymous" else getattr(scene.cast, who)
    return factories.token_of(owner)[0].pk


def answer_to(row: Row, scene: Scene, who: str, session: str = "") -> Any:
    """What one of the cast is answered; whatever it changed is undone."""
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    with transaction.atomic():
        address, body = address_of(row, scene, who), row.body(scene)
        if is_api(row):
            data = json.dumps(body).encode() if body else b""
            response: Any = client.generic(row.method, address, data, "application/json")
        else:
            response = getattr(client, row.method.lower())(address, body)
        transaction.set_rollback(True)
    return response


def ask(row: Row, scene: Scene, who: str, session: str = "") -> str:
    """The same as a word of the matrix."""
    response = answer_to(row, scene, who, session)
    if response.status_code == 302 and response["Location"].startswith("/accounts/login/"):
        return LOGIN
    return str(response.status_code)


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_everybody_is_answered_as_the_matrix_says(
    rows: list[Row], scene: Scene, sessions: dict[str, str]
) -> None:
    wrong = {}
    for row in rows:
        answers = [ask(row, scene, who, sessions.get(who, "")) for who in CAST]
        if answers != row.answers.split():
            wrong[str(row)] = " ".join(answers)
    assert wrong == {}


@pytest.mark.parametrize("table", TABLES)
def test_every_method_has_a_row(table: str, scene: Scene, sessions: dict[str, str]) -> None:
    """A method that does not answer 405 to the administrator is one that there is."""
    rows = [row for row in TABLES[table] if row.name != "no-such-address"]
    listed = {(row.name, row.method) for row in rows}
    there = {
        (row.name, method)
        for row in {row.name: row for row in reversed(rows)}.values()
        for method in METHODS.get(table, OF_FORMS)
        if ask(replace(row, method=method), scene, "administrator", sessions["administrator"])
        != "405"
    }
    assert there == listed


def test_stranger_reads_nothing_of_the_tenant(scene: Scene, sessions: dict[str, str]) -> None:
    """Lists, searches and the dashboard answer 200 to everybody: not with the same rows."""
    readable = [row for row in ROWS if row.method == "GET" and row.answers.split()[3] == "200"]
    texts = {
        str(row): answer_to(row, scene, "charlie", sessions["charlie"]).getvalue().decode()
        for row in readable
    }
    secrets = ("harbour", scene.service.vip, scene.server.rip, scene.host.name, scene.host.address)
    found = [(row, secret) for row, text in texts.items() for secret in secrets if secret in text]
    assert found == []
    own = answer_to(
        next(row for row in readable if row.name == "api:tenant-list"),
        scene,
        "ray",
        sessions["ray"],
    )
    assert "harbour" in own.content.decode()


def test_every_address_has_a_row() -> None:
    assert sorted(set(ROUTES) - {row.name for row in ROWS}) == []


def test_every_row_is_about_an_address_and_answers_everybody() -> None:
    assert sorted({row.name for row in ROWS} - set(ROUTES)) == []
    assert [str(row) for row in ROWS if len(row.answers.split()) != len(CAST)] == []
