"""Whether the embedded database is up to date, answered without loading Django.

A warm start of the console must not pay for a look through every migration. After
`manage.py prepare` has brought the database up to date, a stamp records what it was brought up
to date with; as long as that has not changed, there is nothing to prepare.
Plain Python: it runs without Django.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_PACKAGES = ("console", "vps", "lvs")


def fingerprint(root: Path, database: Path) -> str | None:
    """A digest of the code's migrations and of those that the SQLite database says it has.

    None where there is no such database, or it has no user yet: that needs preparing whatever
    the stamp says.
    """
    if not database.is_file():
        return None
    digest = hashlib.sha256()
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("SELECT 1 FROM auth_user LIMIT 1").fetchone() is None:
                return None
            for row in connection.execute("SELECT app, name FROM django_migrations ORDER BY id"):
                digest.update(repr(row).encode())
    except sqlite3.Error:
        return None
    for part in _code(root):
        digest.update(part)
    return digest.hexdigest()


def _code(root: Path) -> Iterator[bytes]:
    """What decides about migrations in the code: our files, and the pinned packages."""
    yield sys.version.encode()
    yield (root / "requirements.txt").read_bytes()
    for package in _PACKAGES:
        for path in sorted((root / package).glob("migrations/*.py")):
            yield path.name.encode() + path.read_bytes()


def is_prepared(root: Path, state: Path) -> bool:
    """Whether nothing has changed since the stamp was written."""
    stamp = state / "run" / "prepared"
    now = fingerprint(root, state / "db.sqlite3")
    return now is not None and stamp.is_file() and stamp.read_text() == now


def mark_prepared(root: Path, state: Path) -> None:
    """Record that the database in `state` is up to date with the code in `root`."""
    stamp = state / "run" / "prepared"
    now = fingerprint(root, state / "db.sqlite3")
    if now is not None:
        stamp.write_text(now)
