"""The journal of an operation: each command is written before it runs, completed after."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from console.models import Operation, Step
from console.planning import Step as PlannedStep
from console.remote.session import redact
from console.remote.transport import OutcomeUnknown, RemoteError, Result


class Entry:
    """One step while it runs."""

    def __init__(self, row: Step, secrets: tuple[str, ...]) -> None:
        self.row = row
        self._secrets = secrets
        self._began = time.monotonic()

    def answered(self, result: Result) -> None:
        """Complete the row with what the machine answered."""
        self._complete(
            Step.Status.SUCCEEDED if result.ok else Step.Status.FAILED,
            exit_code=result.exit_code,
            stdout=bounded(redact(result.stdout, self._secrets)),
            stderr=bounded(redact(result.stderr, self._secrets)),
        )

    def broke(self, error: RemoteError) -> None:
        """Complete the row with how the line or the machine failed."""
        unknown = isinstance(error, OutcomeUnknown)
        self._complete(
            Step.Status.UNKNOWN if unknown else Step.Status.FAILED,
            stderr=bounded(redact(str(error), self._secrets)),
        )

    def _complete(self, status: Step.Status, **fields: str | int) -> None:
        seconds = time.monotonic() - self._began
        Step.objects.filter(pk=self.row.pk).update(status=status, seconds=seconds, **fields)


class Journal:
    """Writes the steps of one operation in their order, over all its attempts."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._position = operation.steps.count()

    @contextmanager
    def step(self, machine: str, step: PlannedStep) -> Iterator[Entry]:
        """Write `step` before it runs; its failure is noted on the way out."""
        data = step.input_bytes or b""
        self._position += 1
        row = Step.objects.create(
            operation=self._operation,
            attempt=self._operation.attempt,
            position=self._position,
            title=step.title[:200],
            machine=machine,
            command=redact(shlex.join(step.argv), step.secrets),
            stdin=bounded(
                redact(data[: settings.JOURNAL_BYTES + 1].decode(errors="replace"), step.secrets)
            ),
            stdin_bytes=len(data),
            is_destructive=step.is_destructive,
        )
        entry = Entry(row, step.secrets)
        try:
            yield entry
        except RemoteError as error:
            entry.broke(error)
            raise


def bounded(text: str) -> str:
    """The first JOURNAL_BYTES characters, and a word on what was left out. NUL, which
    PostgreSQL refuses, is shown as its picture."""
    limit = settings.JOURNAL_BYTES
    text = text.replace("\x00", "␀")
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n… {len(text) - limit} characters more are not kept"
