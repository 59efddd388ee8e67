"""What the project's management commands share: an actor, waiting, and words on failure."""

from __future__ import annotations

import getpass

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from console.access import Actor
from console.models import Operation
from console.waiting import wait_for


class ConsoleCommand(BaseCommand):
    """A command that calls verbs as the person at the terminal."""

    def actor(self) -> Actor:
        """Whoever may run this may do anything: they can read the database anyway."""
        return Actor(label=getpass.getuser(), staff_role="administrator", via="cli")

    def finished(self, operation: Operation, timeout: float = 120) -> Operation:
        """Wait for a worker to finish it. Raises CommandError in words when it does not."""
        operation = wait_for(operation, timeout)
        if operation.is_live:
            raise CommandError(
                f"Operation #{operation.pk} is not finished after {timeout:.0f} s: is a worker"
                " running? `make run` starts one."
            )
        if operation.status != Operation.Status.SUCCEEDED:
            said = (operation.error_text, operation.error_said, operation.remedy_text)
            raise CommandError("\n".join(filter(None, said)))
        return operation

    def refused(self, error: ValidationError) -> CommandError:
        """A field error as one line for each field."""
        if hasattr(error, "error_dict"):
            return CommandError(
                "\n".join(f"{name}: {' '.join(said)}" for name, said in error.message_dict.items())
            )
        return CommandError(" ".join(error.messages))
