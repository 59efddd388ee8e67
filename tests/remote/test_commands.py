"""Commands over a real sshd: what goes in, what comes out, and how it ends."""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import threading
import time
from pathlib import Path

import pytest

from console.remote import exchange, ssh
from console.remote.ssh import Abort, Connection
from console.remote.transport import (
    HostUnreachable,
    OutcomeUnknown,
    PrivilegeRefused,
    SessionAborted,
)
from tests.remote.conftest import MakeSshd
from tests.remote.sshd import Sshd
from tests.unit.test_remote_quoting import flat, hostile_lists

MEGABYTE = 1024 * 1024
TEN_MEGABYTES = random.Random(1).randbytes(10 * MEGABYTE)


def eventually(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_streams_and_exit_code_are_kept_apart(connection: Connection) -> None:
    result = connection.run(("sh", "-c", "echo out; echo err >&2; exit 3"))
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert result.argv == ("sh", "-c", "echo out; echo err >&2; exit 3")
    assert not result.ok
    assert not result.is_truncated
    assert 0 < result.seconds < 10


def test_the_command_runs_in_the_c_locale_with_empty_input(connection: Connection) -> None:
    result = connection.run(("sh", "-c", 'echo "$LC_ALL"; wc -c'))
    assert result.stdout.split() == ["C", "0"]


@pytest.mark.parametrize("text", ["", "x", "no newline at the end", "three\nlines\n…\n"])
def test_input_arrives_whole(connection: Connection, text: str) -> None:
    assert connection.run(("cat",), stdin=text.encode()).stdout == text


def test_ten_megabytes_both_ways_at_once(connection: Connection) -> None:
    text = TEN_MEGABYTES.hex().encode()[: 10 * MEGABYTE]
    result = connection.run(("tee", "/dev/stderr"), stdin=text)
    assert result.stdout.encode() == text
    assert result.stderr.encode() == text
    assert not result.is_truncated


def test_input_larger_than_every_window_into_a_slow_reader(connection: Connection) -> None:
    script = "sleep 0.3; sha256sum; yes | head -c 5000000; yes | head -c 5000000 >&2"
    result = connection.run(("sh", "-c", script), stdin=TEN_MEGABYTES)
    assert result.stdout.split()[0] == hashlib.sha256(TEN_MEGABYTES).hexdigest()
    assert len(result.stderr) == 5_000_000


@pytest.mark.parametrize("argv", [("true",), ("head", "-c", "5"), ("sh", "-c", "exit 7")])
def test_a_command_need_not_read_its_input(connection: Connection, argv: tuple[str, ...]) -> None:
    for _ in range(20):
        result = connection.run(argv, stdin=TEN_MEGABYTES[: 3 * MEGABYTE].hex().encode())
        assert result.exit_code == (7 if argv[0] == "sh" else 0)
    assert connection.is_alive


def test_output_is_bounded_and_the_command_still_ends_by_itself(
    connection: Connection, tmp_path: Path
) -> None:
    script = 'yes out | head -c 20000000; echo err >&2; touch "$0"; exit 4'
    result = connection.run(("sh", "-c", script, str(tmp_path / "end")), max_output=1000)
    assert result.stdout == "out\n" * 250
    assert result.stderr == "err\n"
    assert result.is_truncated
    assert result.exit_code == 4
    assert (tmp_path / "end").exists()


@pytest.mark.parametrize(("size", "is_truncated"), [(999, False), (1000, False), (1001, True)])
def test_the_bound_is_exact(connection: Connection, size: int, is_truncated: bool) -> None:
    result = connection.run(("head", "-c", str(size), "/dev/zero"), max_output=1000)
    assert len(result.stdout) == min(size, 1000)
    assert result.is_truncated is is_truncated


def test_output_that_is_not_utf_8_is_shown_with_marks(connection: Connection) -> None:
    assert connection.run(("printf", r"a\377b")).stdout == "a\ufffdb"


def test_hostile_words_survive_the_real_thing(connection: Connection) -> None:
    words = flat(list(hostile_lists(400, seed=3)))
    result = connection.run(("printf", r"%s\0", *words))
    expected = b"".join(os.fsencode(word) + b"\0" for word in words)
    assert result.stdout == expected.decode("utf-8", "replace")


def test_a_command_that_is_not_there_is_a_result(connection: Connection) -> None:
    result = connection.run(("no-such-command",))
    assert result.exit_code == 127
    assert "No such file or directory" in result.stderr


@pytest.mark.parametrize(("signal", "code"), [("TERM", 143), ("KILL", 137), ("SEGV", 139)])
def test_death_by_a_signal_is_128_and_its_number(
    connection: Connection, signal: str, code: int
) -> None:
    assert connection.run(("sh", "-c", f"kill -{signal} $$")).exit_code == code


def test_a_command_that_takes_too_long_is_stopped_there(
    connection: Connection, tmp_path: Path
) -> None:
    script = 'echo begun; sleep 30; touch "$0"'
    with pytest.raises(OutcomeUnknown, match=r"did not end within 0\.5 s") as caught:
        connection.run(("sh", "-c", script, str(tmp_path / "end")), timeout=0.5)
    assert caught.value.said == "begun\n"
    assert caught.value.command == shlex.join(("sh", "-c", script, str(tmp_path / "end")))
    assert "Look at the machine" in caught.value.remedy
    assert connection.run(("true",)).ok, "the connection is as good as before"


@pytest.mark.parametrize("code", [124, 137])
def test_a_command_may_use_the_exit_codes_of_timeout(connection: Connection, code: int) -> None:
    assert connection.run(("sh", "-c", f"exit {code}"), timeout=30).exit_code == code


def test_a_machine_that_never_answers_is_given_up(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that has stopped its own `timeout` cannot be waited for."""
    monkeypatch.setattr(ssh, "SLACK", -4.5)
    pid = tmp_path / "pid"
    script = 'echo $PPID >"$0"; kill -STOP $PPID; sleep 3'
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="no answer within"):
        connection.run(("sh", "-c", script, str(pid)), timeout=0.5)
    os.kill(int(pid.read_text()), 18)
    assert time.monotonic() - started < 3
    assert not connection.is_alive, "the machine still counts that session"


def test_a_daemon_left_behind_does_not_hold_the_answer(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LINGER", 0.3)
    started = time.monotonic()
    result = connection.run(("sh", "-c", "echo out; sleep 5 & exit 3"))
    assert time.monotonic() - started < 4
    assert (result.exit_code, result.stdout) == (3, "out\n")
    assert result.is_truncated, "nobody saw the end of its output"
    assert connection.run(("true",)).ok


def test_output_after_the_end_of_the_command_is_waited_for(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "LINGER", 2.0)
    result = connection.run(("sh", "-c", "(sleep 0.4; echo late) & exit 0"))
    assert result.stdout == "late\n"
    assert not result.is_truncated


def test_giving_up_waits_no_longer(connection: Connection, tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    abort = Abort()

    def give_up() -> None:
        eventually(begun)
        abort.fire()

    thread = threading.Thread(target=give_up)
    thread.start()
    started = time.monotonic()
    script = 'touch "$0"; sleep 1.5; touch "$1"'
    with pytest.raises(OutcomeUnknown, match="given up") as caught:
        connection.run(("sh", "-c", script, str(begun), str(ended)), abort=abort)
    thread.join()
    assert time.monotonic() - started < 1.5
    assert "may still run" in caught.value.remedy
    assert not connection.is_alive, "the machine still counts that session"
    with pytest.raises(SessionAborted):
        connection.run(("touch", str(tmp_path / "never")), abort=abort)
    assert not (tmp_path / "never").exists()
    eventually(ended)


def test_other_users_go_through_sudo(server: Sshd) -> None:
    """The shim says who asked; the login itself stays that of the test's user."""
    with ssh.connect(server.endpoint()) as connection:
        connection._username = "evenkeel"
        result = connection.run(("sh", "-c", 'echo "$SUDO_USER $LC_ALL"; cat'), stdin=b"input")
        assert result.stdout == f"{server.endpoint().username} C\ninput"


def test_a_refusal_of_sudo_is_no_result(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd()
    (server.directory / "no-sudo").touch()
    with ssh.connect(server.endpoint()) as connection:
        connection._username = "evenkeel"
        with pytest.raises(PrivilegeRefused) as caught:
            connection.run(("touch", str(tmp_path / "trace")))
    assert "NOPASSWD" in caught.value.remedy
    assert caught.value.said == "sudo: a password is required\n"
    assert isinstance(caught.value, HostUnreachable), "nothing ran"
    assert not (tmp_path / "trace").exists()


def test_bad_requests_send_nothing(connection: Connection) -> None:
    for argv in ((), ("a\0b",)):
        with pytest.raises(ValueError, match="word"):
            connection.run(argv)
    assert connection.run(("true",)).ok
