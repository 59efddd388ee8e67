"""`manage.py runconsole`: the same as `python -m console`, where people look for commands."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Takes the place of this process, so that signals reach the supervisor itself.

    The words are not Django's to parse: `runconsole --help` is the supervisor's own help.
    """

    help = "Run Redis, web, worker and beat as one. `python -m console` starts faster."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        os.execv(sys.executable, [sys.executable, "-m", "console", *argv[2:]])  # noqa: S606

    def handle(self, *args: Any, **options: Any) -> None:
        self.run_from_argv(["manage.py", "runconsole", *args])
