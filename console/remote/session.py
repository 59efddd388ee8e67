"""What an executor holds: one machine, with a journal, a guard and a way out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol

from .transport import (
    Abortable,
    CommandFailed,
    Fence,
    RemoteError,
    Result,
    SessionAborted,
    Transport,
)

BLANK = "••••"
#: Bytes of standard input that the journal keeps.
STDIN_HEAD = 2000
#: A line of a secret of several lines (a private key) is blanked on its own
#: from this many characters on.
_SHORTEST_LINE = 8
_MAX_OUTPUT = 64 * 1024 * 1024


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret, and each longer line of a secret of several
    lines, replaced by four dots; also where a shell has quoted it."""
    words: set[str] = set()
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        words.add(secret)
        words.add(secret.strip())
        words.update(line for line in lines if len(line) >= _SHORTEST_LINE)
    quoted = {word.replace("'", "'\"'\"'") for word in words}
    for word in sorted(words | quoted, key=len, reverse=True):
        if word:
            text = text.replace(word, BLANK)
    return text


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A command that is about to run, for the journal; secrets are blanked.

    `number` counts the commands of one session from 1. `stdin_size` is in
    bytes, None where there is no input; `stdin_head` is its beginning.
    """

    number: int
    machine: str
    argv: tuple[str, ...]
    stdin_size: int | None
    stdin_head: str
    timeout: float
    fence: Fence | None
    started_at: datetime

    @property
    def command(self) -> str:
        """As a person would type it."""
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended, for the journal; secrets are blanked.

    Either `result` is there, whatever its exit code, or the other words say which
    failure it was (`error_code` is `RemoteError.code`). `seconds` is the
    time that the console waited.
    """

    result: Result | None
    error_code: str
    error_message: str
    said: str
    remedy: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.result is not None and self.result.ok


class Recorder(Protocol):
    """The journal's side. `before` is called before the command is sent, and
    stops it by raising; `after` is called however the command ended."""

    def before(self, command: CommandRecord) -> None: ...

    def after(self, command: CommandRecord, outcome: CommandOutcome) -> None: ...


class Session:
    """Runs commands on one machine for one piece of work; one thread uses it,
    and any other may `abort` it.

    `guard` is called before each command and stops it by raising ("is this
    operation still mine?"). `secrets` are blanked in the journal and in every
    error that leaves the session; a Result is handed out as it came.
    """

    def __init__(
        self,
        transport: Transport,
        machine: str,
        *,
        recorder: Recorder | None = None,
        guard: Callable[[], None] | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.machine = machine
        self._transport = transport
        self._recorder = recorder
        self._guard = guard
        self._secrets = tuple(secrets)
        self._count = 0
        self._is_aborted = False

    def __repr__(self) -> str:
        return f"<Session on {self.machine}>"

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """The work is over: a command after this raises SessionAborted."""
        self._is_aborted = True

    def run(
        self,
        argv: tuple[str, ...],
        stdin: bytes | str | None = None,
        timeout: float = 60.0,
        fence: Fence | None = None,
        max_output: int = _MAX_OUTPUT,
    ) -> Result:
        """Run one command, whatever its exit code; see `transport.Transport.run`.

        Raises also SessionAborted, and whatever guard and recorder raise.
        """
        data = stdin.encode("utf-8") if isinstance(stdin, str) else stdin
        if self._is_aborted:
            raise self._aborted(argv)
        if self._guard is not None:
            self._guard()
        self._count += 1
        record = self._record(argv, data, timeout, fence)
        if self._recorder is not None:
            self._recorder.before(record)
        try:
            if self._is_aborted:
                raise self._aborted(argv)
            result = self._transport.run(
                argv, stdin=data, timeout=timeout, fence=fence, max_output=max_output
            )
        except BaseException as error:
            if isinstance(error, RemoteError):
                self._blank(error)
            self._report(record, self._failed(record, error))
            raise
        self._report(record, CommandOutcome(self._blanked(result), "", "", "", "", result.seconds))
        return result

    def check(
        self,
        argv: tuple[str, ...],
        stdin: bytes | str | None = None,
        timeout: float = 60.0,
        fence: Fence | None = None,
        max_output: int = _MAX_OUTPUT,
    ) -> Result:
        """As `run`, and raise CommandFailed for an exit code other than 0."""
        result = self.run(argv, stdin, timeout, fence, max_output)
        if not result.ok:
            blanked = self._blanked(result)
            raise CommandFailed(
                self.machine,
                f"{blanked.argv[0]} ended with exit code {result.exit_code}",
                result=blanked,
            )
        return result

    def abort(self) -> None:
        """Give up, from any thread: the command in flight raises OutcomeUnknown,
        every later one SessionAborted."""
        self._is_aborted = True
        if isinstance(self._transport, Abortable):
            self._transport.abort()

    def _aborted(self, argv: tuple[str, ...]) -> SessionAborted:
        return SessionAborted(
            self.machine,
            "the session ended, or was cancelled, before this command",
            argv=tuple(redact(word, self._secrets) for word in argv),
        )

    def _record(
        self, argv: tuple[str, ...], stdin: bytes | None, timeout: float, fence: Fence | None
    ) -> CommandRecord:
        # Blanked before it is cut: half a secret at the end is a secret too.
        longest = max((len(secret.encode()) for secret in self._secrets), default=0)
        text = (stdin or b"")[: STDIN_HEAD + longest].decode("utf-8", "replace")
        return CommandRecord(
            number=self._count,
            machine=self.machine,
            argv=tuple(redact(word, self._secrets) for word in argv),
            stdin_size=None if stdin is None else len(stdin),
            stdin_head=redact(text, self._secrets)[:STDIN_HEAD],
            timeout=timeout,
            fence=fence,
            started_at=datetime.now(UTC),
        )

    def _report(self, record: CommandRecord, outcome: CommandOutcome) -> None:
        if self._recorder is not None:
            self._recorder.after(record, outcome)

    def _failed(self, record: CommandRecord, error: BaseException) -> CommandOutcome:
        seconds = (datetime.now(UTC) - record.started_at).total_seconds()
        if isinstance(error, RemoteError):
            return CommandOutcome(
                None, error.code, error.message, error.said, error.remedy, seconds
            )
        words = redact(f"{type(error).__name__}: {error}", self._secrets)
        code = "invalid-command" if isinstance(error, ValueError) else "interrupted"
        return CommandOutcome(None, code, words, "", "", seconds)

    def _blanked(self, result: Result) -> Result:
        return replace(
            result,
            argv=tuple(redact(word, self._secrets) for word in result.argv),
            stdout=redact(result.stdout, self._secrets),
            stderr=redact(result.stderr, self._secrets),
        )

    def _blank(self, error: RemoteError) -> None:
        """Blank the secrets in an error, in place, so that its type stays."""
        error.message = redact(error.message, self._secrets)
        error.said = redact(error.said, self._secrets)
        error.argv = tuple(redact(word, self._secrets) for word in error.argv)
        error.args = (f"{error.machine}: {error.message}",)
        if isinstance(error, CommandFailed):
            error.result = self._blanked(error.result)
