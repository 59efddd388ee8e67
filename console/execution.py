"""Running one operation in a worker: claim, work, finish, whatever happens.

A task hands its operation's number and a body to `execute`. The body gets a `Run`: the
only thing in the console that reaches machines on behalf of an operation. Every command
is written to the journal before it runs, refused when the claim was lost, the operation
cancelled or its deadline past, and fenced on the machine itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from console import hosts, machines, operations
from console.journal import Journal
from console.models import Host, Operation
from console.planning import Problem
from console.planning import Step as PlannedStep
from console.remote.session import Session
from console.remote.transport import (
    AuthenticationRefused,
    CommandFailed,
    Fence,
    Fenced,
    HostKeyChanged,
    HostUnreachable,
    OutcomeUnknown,
    RemoteError,
    Result,
)
from console.words import error_fields, words_of

log = structlog.get_logger(__name__)

#: Seconds to wait before the next try after nothing ran or the line was cut.
RETRY_DELAYS = (3.0, 10.0, 30.0)


class Stopped(Exception):
    """The operation must not go on: cancelled, past its deadline, or no longer ours."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refusal(Exception):
    """The body refuses to go on, in words: what is wrong and what to do.

    `message` is an English format string over `params`, and `remedy` an English sentence;
    both are marked for translation and translated when they are shown. As text, a refusal
    is English. `said` is what the machine wrote.
    """

    def __init__(
        self,
        code: str,
        message: str,
        params: Mapping[str, str | int] | None = None,
        *,
        remedy: str = "",
        said: str = "",
    ) -> None:
        super().__init__(message % (params or {}))
        self.code = code
        self.message = message
        self.params = dict(params or {})
        self.remedy = remedy
        self.said = said

    @classmethod
    def gone(cls, operation: Operation) -> Refusal:
        """Refusing because what the operation is about is not there any more."""
        return cls(
            "gone",
            _("%(target)s is no longer declared"),
            {"target": operation.target_label},
            remedy=_("Nothing was done, and nothing needs to be done."),
        )

    @classmethod
    def of(cls, problem: Problem) -> Refusal:
        """Refusing to go on because of a problem."""
        return cls(problem.code, problem.message, problem.params, remedy=problem.remedy_text())

    @property
    def words(self) -> dict[str, Any]:
        """The message as it is stored, to be translated for each reader."""
        return words_of(self.message, self.params)


class Later(Exception):
    """The body waits for something outside: it goes on after `seconds`, from the beginning.

    No worker is held meanwhile, and no attempt is lost. `message`, an English format string
    over `params`, says what it waits for.
    """

    def __init__(
        self, seconds: float, message: str, params: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(message % (params or {}))
        self.seconds = seconds
        self.fields = error_fields(message, params)


class Run:
    """One claimed operation at work."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.journal = Journal(operation)
        self._sessions: list[Session] = []
        #: Why it must not go on: "", cancelled, deadline or lost.
        self.stop_code = ""
        self._ended = threading.Event()

    def session(self, host: Host) -> Session:
        """A session on a host, ended with the operation. Raises HostUnreachable and kin."""
        self.check()
        session = machines.session(host)
        self._sessions.append(session)
        return session

    def fence(self, scope: str) -> Fence:
        """The token that the machine compares before it runs a command of this claim."""
        return Fence(scope=scope, number=self.operation.fence)

    def run(self, session: Session, step: PlannedStep, *, fence: Fence | None = None) -> Result:
        """Journal and run one step, and return its answer, whatever the exit code."""
        self.check()
        with self.journal.step(session.machine, step) as entry:
            result = session.run(
                step.argv, stdin=step.input_bytes, timeout=step.timeout, fence=fence
            )
            entry.answered(result)
        return result

    def progress(self, percent: int) -> None:
        """Note how far it is, 0 to 100."""
        operations.progress(self.operation, percent)

    def check(self) -> None:
        """Raise Stopped unless this claim may go on."""
        if self.stop_code:
            raise Stopped(self.stop_code)
        row = (
            Operation.objects.filter(pk=self.operation.pk)
            .values_list("status", "fence", "cancel_requested_at", "deadline_at")
            .first()
        )
        if row is None or row[0] != Operation.Status.RUNNING or row[1] != self.operation.fence:
            self.stop_code = "lost"
        elif row[2] is not None:
            self.stop_code = "cancelled"
        elif row[3] < timezone.now():
            self.stop_code = "deadline"
        if self.stop_code:
            raise Stopped(self.stop_code)

    def beat_until_ended(self) -> None:
        """The heartbeat's thread: beats, and aborts the running command when the claim is
        lost, the operation cancelled or its deadline past."""
        while not self._ended.wait(settings.HEARTBEAT_INTERVAL):
            try:
                operations.heartbeat(self.operation)
                self.check()
            except Stopped:
                for session in self._sessions:
                    session.abort()
                break
            except Exception as error:  # the database is away for a moment: beat again later
                log.warning("heartbeat_failed", operation=self.operation.pk, error=str(error))
                connection.close()
        connection.close()

    def end(self) -> None:
        """Stop the heartbeat."""
        self._ended.set()


def execute(pk: int, body: Callable[[Run], dict[str, Any] | None]) -> None:
    """Claim operation `pk` and run `body`; do nothing when it is not there to be claimed."""
    operation = operations.claim(pk)
    if operation is None:
        return
    structlog.contextvars.bind_contextvars(operation=pk, kind=operation.kind)
    run = Run(operation)
    beat = threading.Thread(target=run.beat_until_ended, name=f"heartbeat-{pk}", daemon=True)
    beat.start()
    try:
        _conclude(run, body)
    finally:
        run.end()
        beat.join(timeout=5)
        structlog.contextvars.unbind_contextvars("operation", "kind")


def _conclude(run: Run, body: Callable[[Run], dict[str, Any] | None]) -> None:
    operation = run.operation
    try:
        result = body(run) or {}
        operations.finish(
            operation,
            Operation.Status.SUCCEEDED,
            result=result,
            percent=100,
            error="",
            error_words={},
        )
    except Later as later:
        operations.wait(operation, delay=later.seconds, **later.fields)
    except Stopped as stop:
        _stop(operation, stop.code)
    except Refusal as refusal:
        said = error_fields(refusal.message, refusal.params)
        _fail(operation, refusal.code, said, refusal.remedy, refusal.said)
    except RemoteError as error:
        if run.stop_code:  # our own abort cut the line
            _stop(operation, run.stop_code)
        elif not _try_later(operation, error):
            _fail_remote(operation, error)
    except Exception as error:  # the edge of a task: record it, never lose the operation
        log.exception("operation_crashed", operation=operation.pk)
        _fail(
            operation,
            "internal",
            error_fields(_("The console itself failed: %(error)s"), {"error": repr(error)}),
            _("This is a defect of the console. Its log has the details."),
        )


def _try_later(operation: Operation, error: RemoteError) -> bool:
    """Queue it again when another try makes sense: nothing ran, or observing will tell."""
    hosts.note_failure(error)
    is_passing = isinstance(error, HostUnreachable | OutcomeUnknown)
    is_final = isinstance(error, AuthenticationRefused) or operation.attempt > len(RETRY_DELAYS)
    if is_final or not is_passing:
        return False
    delay = RETRY_DELAYS[operation.attempt - 1]
    if operation.attempt == len(RETRY_DELAYS):
        delay = max(delay, error.patience)
    return operations.put_back(operation, delay=delay, error=str(error), error_words={})


def _stop(operation: Operation, code: str) -> None:
    if code == "cancelled":
        operations.finish(
            operation,
            Operation.Status.CANCELLED,
            error_code="cancelled",
            error="",
            error_words={},
        )
    elif code == "deadline":
        _fail(
            operation,
            "deadline",
            error_fields(_("It was not finished by its deadline and was stopped.")),
            _("Look at the last step, then try again: it observes before it changes anything."),
        )
    else:
        log.warning("claim_lost", operation=operation.pk)


def _fail(
    operation: Operation, code: str, error: dict[str, Any], remedy: str, said: str = ""
) -> None:
    operations.finish(
        operation,
        Operation.Status.FAILED,
        error_code=code,
        remedy=remedy,
        error_said=said[: settings.JOURNAL_BYTES],
        **error,
    )


def _fail_remote(operation: Operation, error: RemoteError) -> None:
    remedy = error.remedy or remedy_for(error)
    _fail(operation, error.code, {"error": str(error)}, remedy, error.said)


def remedy_for(error: RemoteError) -> str:
    """What to do about a failure of a machine, where the failure itself does not say:
    English, to be translated when it is shown."""
    if isinstance(error, HostKeyChanged):
        return _("Compare the new fingerprint with the machine's own, then accept or refuse it.")
    if isinstance(error, AuthenticationRefused):
        return _("Check user and credential of the host, and its authorized_keys.")
    if isinstance(error, HostUnreachable):
        return _("See that the machine is up and that its SSH port answers, then try again.")
    if isinstance(error, OutcomeUnknown):
        return _("Try again: it observes first and does only what is still to be done.")
    if isinstance(error, Fenced):
        return _("A newer operation on this target has run. Nothing needs to be done.")
    if isinstance(error, CommandFailed):
        return _("Mend what the machine names, then try again.")
    return ""
