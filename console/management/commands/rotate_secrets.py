"""`manage.py rotate_secrets`: write every stored secret again under the newest key."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from console.commands import ConsoleCommand
from console.models import Credential


class Command(ConsoleCommand):
    help = (
        "Seal every secret under the first key of EVENKEEL_SECRETS_KEYS. Put a new key in"
        " front, restart, run this, then drop the old one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for pk in Credential.objects.values_list("pk", flat=True):
            with transaction.atomic():
                credential = Credential.objects.select_for_update().get(pk=pk)
                credential.save(update_fields=["secret", "passphrase"])
                count += 1
        self.stdout.write(f"{count} credentials are sealed under the newest key.")
