"""When a database counts as prepared, and what makes it count no longer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from console.preparation import is_prepared, mark_prepared


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one migration and pinned packages."""
    root = tmp_path / "checkout"
    (root / "lvs" / "migrations").mkdir(parents=True)
    (root / "lvs" / "migrations" / "0001_initial.py").write_text("first")
    (root / "requirements.txt").write_text("django==5.2")
    return root


def statement(state: Path, text: str) -> None:
    with closing(sqlite3.connect(state / "db.sqlite3")) as connection:
        connection.executescript(text)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose database has its tables, one migration and one user."""
    state = tmp_path / "state"
    (state / "run").mkdir(parents=True)
    statement(
        state,
        "CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, name TEXT);"
        "INSERT INTO django_migrations (app, name) VALUES ('lvs', '0001_initial');"
        "CREATE TABLE auth_user (id INTEGER PRIMARY KEY);"
        "INSERT INTO auth_user DEFAULT VALUES;",
    )
    return state


def test_what_was_marked_is_prepared(root: Path, state: Path) -> None:
    assert not is_prepared(root, state)
    mark_prepared(root, state)
    assert is_prepared(root, state)


def test_other_rows_do_not_matter(root: Path, state: Path) -> None:
    mark_prepared(root, state)
    statement(state, "INSERT INTO auth_user DEFAULT VALUES;")
    assert is_prepared(root, state)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO django_migrations (app, name) VALUES ('lvs', '0002_more');",
        "DELETE FROM django_migrations;",
        "DELETE FROM auth_user;",
        "DROP TABLE auth_user;",
    ],
)
def test_a_database_that_changed_must_be_prepared_again(
    root: Path, state: Path, change: str
) -> None:
    mark_prepared(root, state)
    statement(state, change)
    assert not is_prepared(root, state)


@pytest.mark.parametrize(
    "path", ["lvs/migrations/0002_more.py", "lvs/migrations/0001_initial.py", "requirements.txt"]
)
def test_code_that_changed_must_be_applied_again(root: Path, state: Path, path: str) -> None:
    mark_prepared(root, state)
    (root / path).write_text("changed")
    assert not is_prepared(root, state)


def test_a_database_that_is_gone_or_broken_must_be_prepared(root: Path, state: Path) -> None:
    mark_prepared(root, state)
    (state / "db.sqlite3").write_bytes(b"no database" * 100)
    assert not is_prepared(root, state)
    (state / "db.sqlite3").unlink()
    assert not is_prepared(root, state)


def test_a_database_without_a_user_is_never_marked(root: Path, state: Path) -> None:
    statement(state, "DELETE FROM auth_user;")
    mark_prepared(root, state)
    assert not (state / "run" / "prepared").exists()
