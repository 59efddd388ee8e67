"""`manage.py prepare`: what a database needs before the console can run on it."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

#: Letters and digits that no font makes look alike.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
FIRST_USER = "admin"


def new_password() -> str:
    """80 random bits, written so that they can be read from a screen and typed."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


class Command(BaseCommand):
    """Progress goes to standard error; what a person must be told, to standard output."""

    help = "Bring the database up to date; on an empty one, make the first login and print it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            self.stderr.write(f"Applying {len(plan)} migrations.")
            call_command("migrate", interactive=False, verbosity=0)
        self.make_first_login()

    def make_first_login(self) -> None:
        """The password is printed here and stored only as a hash."""
        users = get_user_model().objects
        if users.exists():
            return
        password = new_password()
        users.create_superuser(username=FIRST_USER, password=password)
        self.stdout.write(f"First login: {FIRST_USER}, password {password} (shown only now).")
        self.stdout.write(
            f"Another password: .venv/bin/python manage.py changepassword {FIRST_USER}"
        )
