"""`manage.py create_token USER NAME`: an API token, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from console.access import SCOPES, actor_for
from console.actions.tokens import create_token
from console.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = "Make an API token for a user and print it: the only time that it is shown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user")
        parser.add_argument("name")
        parser.add_argument(
            "--scope", action="append", choices=SCOPES, help="repeat for several; default: read"
        )
        parser.add_argument("--days", type=int, help="valid for so many days; default: no end")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user named {options['user']}.")
        days = options["days"]
        try:
            _token, secret = create_token(
                actor_for(user, via="cli"),
                name=options["name"],
                scopes=options["scope"] or ["read"],
                expires_at=timezone.now() + timedelta(days=days) if days else None,
            )
        except ValidationError as error:
            raise self.refused(error) from error
        self.stdout.write(secret)
