"""The fence's script, run by the shells that a machine may have."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.remote.fence import EXIT_CODE, check, guarded, verdict
from console.remote.transport import Fence

SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]


@dataclass
class Machine:
    """Runs guarded commands here, as a machine would."""

    directory: Path
    shell: str = "sh"

    def words(
        self, number: int, *argv: str, scope: str = "lb1", lock_wait: float = 5, limit: str = "20"
    ) -> list[str]:
        words = guarded(
            argv, Fence(scope, number), limit, directory=str(self.directory), lock_wait=lock_wait
        )
        return [self.shell, *words[1:]]

    def run(self, number: int, *argv: str, stdin: bytes = b"", **options: object) -> Done:
        done = subprocess.run(
            self.words(number, *argv, **options),  # type: ignore[arg-type]
            input=stdin,
            capture_output=True,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, number: int, *argv: str, **options: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.words(number, *argv, **options))  # type: ignore[arg-type]


@dataclass
class Done:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def verdict(self) -> tuple[str, str] | None:
        return verdict(self.exit_code, self.stderr)


@pytest.fixture(params=SHELLS)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "state" / "fence", request.param)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_a_higher_number_shuts_out_a_lower_one(machine: Machine, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    assert machine.run(7, "true").exit_code == 0
    refused = machine.run(6, "touch", str(trace))
    assert refused.verdict == ("refused", "7")
    assert refused.exit_code == EXIT_CODE
    assert not trace.exists()


def test_the_same_number_passes_again(machine: Machine) -> None:
    assert [machine.run(7, "echo", "again").stdout for _ in range(3)] == ["again\n"] * 3


def test_the_number_is_kept_for_the_next_boot(machine: Machine) -> None:
    machine.run(41, "true")
    machine.run(2**63 - 1, "true", scope="other")
    assert (machine.directory / "lb1").read_text() == "41\n"
    assert machine.run(2**63 - 2, "true", scope="other").verdict == ("refused", str(2**63 - 1))
    assert {path.name for path in machine.directory.iterdir()} == {
        *("lb1", ".lb1.lock", "other", ".other.lock")
    }


def test_scopes_do_not_know_each_other(machine: Machine) -> None:
    machine.run(9, "true", scope="lb1")
    for other in ("lb2", "lb1.lock", "lb1.new", "LB1"):
        assert machine.run(1, "true", scope=other).exit_code == 0
    assert machine.run(8, "true", scope="lb1").verdict == ("refused", "9")


def test_only_root_may_look(machine: Machine) -> None:
    machine.run(1, "true")
    assert stat.S_IMODE(machine.directory.stat().st_mode) == 0o700


def test_the_commands_own_files_keep_the_usual_mode(machine: Machine, tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        machine.run(1, "touch", str(tmp_path / "made"))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o644


def test_input_output_and_exit_code_pass_through(machine: Machine) -> None:
    done = machine.run(1, "sh", "-c", "cat; echo no >&2; exit 42", stdin=b"three\nlines\nof it\n")
    assert (done.exit_code, done.stdout, done.stderr) == (42, "three\nlines\nof it\n", "no\n")


def test_a_command_that_is_not_there_answers_127(machine: Machine) -> None:
    assert machine.run(1, "no-such-command-here").exit_code == 127


def test_a_command_may_use_the_fences_exit_code(machine: Machine) -> None:
    done = machine.run(1, "sh", "-c", f"echo something else >&2; exit {EXIT_CODE}")
    assert done.exit_code == EXIT_CODE
    assert done.verdict is None


def test_the_time_limit_holds(machine: Machine) -> None:
    started = time.monotonic()
    assert machine.run(1, "sleep", "30", limit="0.3").exit_code == 124
    assert time.monotonic() - started < 10


def test_commands_of_one_scope_wait_for_each_other(machine: Machine, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    script = 'echo in >>"$0"; sleep 0.05; echo out >>"$0"'
    threads = [
        threading.Thread(target=machine.run, args=(3, "sh", "-c", script, str(trace)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trace.read_text().split() == ["in", "out"] * 6


def test_a_newer_worker_waits_for_the_older_ones_command(machine: Machine, tmp_path: Path) -> None:
    trace, begun = tmp_path / "trace", tmp_path / "begun"
    script = 'touch "$1"; sleep 0.5; echo older >>"$0"'
    older = machine.start(1, "sh", "-c", script, str(trace), str(begun))
    wait_for(begun)
    assert machine.run(2, "sh", "-c", 'echo newer >>"$0"', str(trace)).exit_code == 0
    older.wait(5)
    assert trace.read_text().split() == ["older", "newer"]
    assert machine.run(1, "true").verdict == ("refused", "2")


def test_waiting_for_the_older_command_has_an_end(machine: Machine, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    older = machine.start(1, "sh", "-c", 'touch "$0"; exec sleep 20', str(begun))
    wait_for(begun)
    try:
        started = time.monotonic()
        done = machine.run(2, "true", lock_wait=0.3)
        assert done.verdict is not None
        assert done.verdict[0] == "busy"
        assert time.monotonic() - started < 5
    finally:
        older.send_signal(signal.SIGTERM)
        older.wait(5)


def test_the_lock_outlives_the_worker_that_was_killed(machine: Machine, tmp_path: Path) -> None:
    """What runs first is `timeout`, which the script has become: there is no shell
    left that could be killed alone and give the lock away."""
    trace, begun = tmp_path / "trace", tmp_path / "begun"
    script = 'touch "$1"; sleep 0.7; echo older >>"$0"'
    older = machine.start(1, "sh", "-c", script, str(trace), str(begun))
    wait_for(begun)
    name = Path(f"/proc/{older.pid}/comm").read_text().strip()
    assert name == "timeout"
    machine.run(2, "sh", "-c", 'echo newer >>"$0"', str(trace))
    assert trace.read_text().split() == ["older", "newer"]
    older.wait(5)


def test_a_daemon_left_behind_does_not_hold_the_lock(machine: Machine, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = 'sleep 20 >/dev/null 2>&1 & echo $! >"$0"'
    assert machine.run(1, "sh", "-c", script, str(pid)).exit_code == 0
    try:
        assert machine.run(2, "true", lock_wait=0.5).exit_code == 0
    finally:
        os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.mark.parametrize("content", ["", "\n", "seven\n", "-1\n", "1 2\n", "0x10\n"])
def test_a_damaged_number_lets_nobody_through(
    machine: Machine, content: str, tmp_path: Path
) -> None:
    machine.run(1, "true")
    (machine.directory / "lb1").write_text(content)
    done = machine.run(2, "touch", str(tmp_path / "trace"))
    assert done.verdict is not None
    assert done.verdict[0] == "broken"
    assert "does not hold a number" in done.verdict[1]
    assert not (tmp_path / "trace").exists()


def test_a_directory_that_cannot_be_made_lets_nobody_through(
    machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("in the way")
    done = machine.run(1, "touch", str(tmp_path / "trace"))
    assert done.verdict is not None
    assert done.verdict[0] == "broken"
    assert not (tmp_path / "trace").exists()


def test_a_lock_that_cannot_be_opened_lets_nobody_through(machine: Machine, tmp_path: Path) -> None:
    (machine.directory / ".lb1.lock").mkdir(parents=True)
    done = machine.run(1, "touch", str(tmp_path / "trace"))
    assert done.verdict is not None
    assert done.verdict[0] == "broken"
    assert not (tmp_path / "trace").exists()


def test_a_machine_without_flock_says_so(machine: Machine, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in (machine.shell, "mkdir", "timeout", "sync", "mv", "touch"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    done = subprocess.run(
        machine.words(1, "touch", str(tmp_path / "trace")),
        capture_output=True,
        env={"PATH": str(tools)},
        check=False,
    )
    found = verdict(done.returncode, done.stderr.decode())
    assert found == ("broken", "flock is missing (package util-linux)")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "scope", ["", ".", "..", "a/b", "../x", "a b", "a\n", "-x", ".hidden", "é", "x" * 101]
)
def test_a_scope_is_a_plain_word(scope: str) -> None:
    with pytest.raises(ValueError, match="plain word"):
        check(Fence(scope, 1))


@pytest.mark.parametrize("scope", ["a", "lb1", "director-17", "pair_3.a", "9", "x" * 100])
def test_plain_words_are_scopes(scope: str) -> None:
    check(Fence(scope, 1))


@pytest.mark.parametrize("number", [-1, 2**63])
def test_a_number_fits_into_the_shell(number: int) -> None:
    with pytest.raises(ValueError, match="between 0 and"):
        check(Fence("lb1", number))
