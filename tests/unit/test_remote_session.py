"""The session: journal before and after, secrets blanked, a guard, and a way out."""

from __future__ import annotations

import threading
import time

import pytest

from console.remote.session import BLANK, CommandOutcome, CommandRecord, Session, redact
from console.remote.transport import (
    CommandFailed,
    Fence,
    Fenced,
    HostUnreachable,
    OutcomeUnknown,
    SessionAborted,
)
from tests.fakes.transport import Answer, Call, FakeTransport, Fault

SECRET = "s3cr3t-of-the-guest"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUx\n-----END-----\n"


class Journal:
    """Remembers what a recorder is told, and in what order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.commands: list[CommandRecord] = []
        self.outcomes: list[CommandOutcome] = []

    def before(self, command: CommandRecord) -> None:
        self.events.append(f"before {command.command}")
        self.commands.append(command)

    def after(self, command: CommandRecord, outcome: CommandOutcome) -> None:
        self.events.append(f"after {command.command}")
        self.outcomes.append(outcome)

    @property
    def text(self) -> str:
        return repr((self.events, self.commands, self.outcomes))


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def fake() -> FakeTransport:
    fake = FakeTransport("dir1")
    fake.on(("echo",), lambda call: " ".join(call.argv[1:]) + "\n")
    fake.on(("cat",), lambda call: call.text)
    fake.on(("false",), Answer(stderr="no\n", exit_code=1))
    return fake


def test_the_journal_knows_a_command_before_it_runs(fake: FakeTransport, journal: Journal) -> None:
    fake.on(("look",), lambda _call: "; ".join(journal.events))
    session = fake.session(recorder=journal)
    assert session.run(("look",)).stdout == "before look"
    assert journal.events == ["before look", "after look"]


def test_the_journal_has_every_part(fake: FakeTransport, journal: Journal) -> None:
    session = fake.session(recorder=journal)
    session.run(("echo", "a b"))
    session.run(("cat",), stdin="three\nlines\n…\n", timeout=9, fence=Fence("lb1", 4))
    first, second = journal.commands
    assert (first.number, first.machine, first.command) == (1, "dir1", "echo 'a b'")
    assert (first.stdin_size, first.stdin_head, first.fence) == (None, "", None)
    assert (second.number, second.timeout, second.fence) == (2, 9, Fence("lb1", 4))
    assert second.stdin_size == len("three\nlines\n…\n".encode())
    assert second.stdin_head == "three\nlines\n…\n"
    assert second.started_at.tzinfo is not None
    outcome = journal.outcomes[1]
    assert outcome.ok
    assert outcome.result is not None
    assert outcome.result.stdout == "three\nlines\n…\n"


def test_only_the_head_of_bulk_input_is_kept(fake: FakeTransport, journal: Journal) -> None:
    fake.session(recorder=journal).run(("cat",), stdin=b"x" * 1_000_000)
    assert journal.commands[0].stdin_size == 1_000_000
    assert journal.commands[0].stdin_head == "x" * 2000


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNREACHABLE, "host-unreachable"),
        (Fault.REFUSED, "authentication-refused"),
        (Fault.KEY_CHANGED, "host-key-changed"),
        (Fault.CUT_BEFORE, "host-unreachable"),
        (Fault.CUT_AFTER, "outcome-unknown"),
        (ValueError("what?"), "invalid-command"),
        (RuntimeError("worker stopped"), "interrupted"),
    ],
)
def test_the_journal_hears_of_every_failure(
    fake: FakeTransport, journal: Journal, fault: Fault | Exception, code: str
) -> None:
    fake.fail_next(fault)
    with pytest.raises(Exception):  # noqa: B017
        fake.session(recorder=journal).run(("echo", "x"))
    (outcome,) = journal.outcomes
    assert (outcome.result, outcome.error_code, outcome.ok) == (None, code, False)
    assert outcome.error_message


def test_a_recorder_that_raises_stops_the_command(fake: FakeTransport, journal: Journal) -> None:
    class Full(Journal):
        def before(self, command: CommandRecord) -> None:
            raise OSError("the journal is full")

    with pytest.raises(OSError, match="journal is full"):
        fake.session(recorder=Full()).run(("echo", "x"))
    assert fake.calls == []


def test_the_guard_is_asked_before_each_command(fake: FakeTransport, journal: Journal) -> None:
    lives = iter([True, True, False])

    class TakenOver(Exception):
        pass

    def guard() -> None:
        if not next(lives):
            raise TakenOver

    session = fake.session(guard=guard, recorder=journal)
    session.run(("echo", "1"))
    session.run(("echo", "2"))
    with pytest.raises(TakenOver):
        session.run(("echo", "3"))
    assert fake.commands() == ["echo 1", "echo 2"]
    assert journal.events[-1] == "after echo 2"


def test_check_raises_for_an_exit_code_and_run_does_not(fake: FakeTransport) -> None:
    session = fake.session()
    assert session.run(("false",)).exit_code == 1
    with pytest.raises(CommandFailed, match="dir1: false ended with exit code 1") as caught:
        session.check(("false",))
    assert caught.value.said == "no\n"
    assert caught.value.result.exit_code == 1
    assert session.check(("echo", "fine")).stdout == "fine\n"


def test_a_newer_worker_shuts_the_older_out(fake: FakeTransport) -> None:
    older, newer = fake.session(), fake.session()
    older.check(("echo", "1"), fence=Fence("lb1", 1))
    newer.check(("echo", "2"), fence=Fence("lb1", 2))
    with pytest.raises(Fenced):
        older.check(("echo", "3"), fence=Fence("lb1", 1))


def test_secrets_reach_neither_journal_nor_errors(fake: FakeTransport, journal: Journal) -> None:
    fake.on(("leak",), lambda call: Answer(call.text, f"bad: {call.argv[1]}", 1))
    session = fake.session(recorder=journal, secrets=(SECRET, KEY))
    text = f"password {SECRET}\n{KEY}"
    result = session.run(("leak", SECRET), stdin=text)
    assert result.stdout == text, "the caller needs what the machine said"
    with pytest.raises(CommandFailed) as caught:
        session.check(("leak", f"--password={SECRET}"), stdin=text)
    fake.fail_next(OutcomeUnknown("dir1", f"cut at {SECRET}", argv=("x", SECRET), said=KEY))
    with pytest.raises(OutcomeUnknown) as unknown:
        session.run(("leak", SECRET))
    shown = repr((journal.text, vars(caught.value), str(unknown.value), vars(unknown.value)))
    assert BLANK in shown
    for part in (SECRET, "b3BlbnNzaC1rZXktdjEAAAAA"):
        assert part not in shown


def test_a_secret_at_the_end_of_the_kept_head_is_not_kept_in_half(
    fake: FakeTransport, journal: Journal
) -> None:
    long_secret = "".join(f"{number:04d}" for number in range(1500))
    session = fake.session(recorder=journal, secrets=(long_secret,))
    session.run(("cat",), stdin="x" * 1990 + long_secret + "tail")
    assert journal.commands[0].stdin_head == "x" * 1990 + BLANK + "tail"


REDACTED = [
    ("nothing here", (), "nothing here"),
    ("nothing here", ("",), "nothing here"),
    ("a pass b pass", ("pass",), f"a {BLANK} b {BLANK}"),
    ("longer-first", ("longer", "longer-first"), BLANK),
    ("echo 'it'\"'\"'s'", ("it's",), f"echo '{BLANK}'"),
    ("x short y", ("short\nand a longer line\n",), "x short y"),
    ("and a longer line!", ("short\nand a longer line\n",), f"{BLANK}!"),
]


@pytest.mark.parametrize(("text", "secrets", "expected"), REDACTED)
def test_redact(text: str, secrets: tuple[str, ...], expected: str) -> None:
    assert redact(text, secrets) == expected


def test_abort_reaches_a_running_command(fake: FakeTransport, journal: Journal) -> None:
    fake.delay = 30
    session = fake.session(recorder=journal)
    threading.Timer(0.1, session.abort).start()
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        session.run(("echo", "slow"))
    assert time.monotonic() - started < 10
    with pytest.raises(SessionAborted):
        session.run(("echo", "later"))
    assert fake.commands() == ["echo slow"]
    assert [outcome.error_code for outcome in journal.outcomes] == ["outcome-unknown"]


def test_a_session_is_over_after_its_block(fake: FakeTransport) -> None:
    with fake.session() as session:
        session.run(("echo", "in"))
    with pytest.raises(SessionAborted):
        session.run(("echo", "out"))


def test_a_session_does_not_print_its_secrets(fake: FakeTransport) -> None:
    session = Session(fake, "dir1", secrets=(SECRET,))
    assert repr(session) == "<Session on dir1>"


def test_unreachable_is_passed_on_as_it_is(fake: FakeTransport) -> None:
    fake.fail_next(Fault.UNREACHABLE)
    with pytest.raises(HostUnreachable) as caught:
        fake.session().run(("echo",))
    assert caught.value.remedy == "Is it on?"


def test_calls_keep_what_was_sent(fake: FakeTransport) -> None:
    fake.session().run(("cat",), stdin="é", timeout=3)
    assert fake.calls == [Call(("cat",), "é".encode(), 3, None)]
