"""The supervisor against real processes: order, readiness, restart, stop, and kill -9."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.supervisor import Program, Restart, Supervisor, describe_exit
from tests.processes import eventually, is_alive

ROOT = Path(__file__).resolve().parent.parent.parent
SH = "/bin/sh"


def sh(name: str, script: str, **options: object) -> Program:
    return Program(name, (SH, "-c", script), **options)  # type: ignore[arg-type]


def run(*programs: Program, until: str | None = None) -> tuple[int, str]:
    """Run until `until` has been printed (or by itself), then stop; the code and the output."""
    out = io.StringIO()
    supervisor = Supervisor(programs, out=out, on_ready=lambda _: print("all ready", file=out))

    def stop_when_seen() -> None:
        eventually(lambda: re.search(until or "$", out.getvalue()) is not None, within=10)
        supervisor.stop()

    watcher = threading.Thread(target=stop_when_seen)
    if until is not None:
        watcher.start()
    code = supervisor.run()
    if until is not None:
        watcher.join()
    return code, out.getvalue()


@contextlib.contextmanager
def supervised(tmp_path: Path, programs: str) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own, with `programs` (source text) under it."""
    source = f"""
        import sys
        from console.supervisor import Program, Supervisor
        programs = {programs}
        sys.exit(Supervisor(programs, on_ready=lambda s: print("all ready", flush=True)).run())
    """
    process = subprocess.Popen(
        (sys.executable, "-c", textwrap.dedent(source)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """The output up to and with the first line that matches."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if re.search(pattern, line):
            return seen
    raise AssertionError(f"{pattern!r} was not printed:\n{seen}")


#: Says its own process id and that of a child of its own, which has the same group.
FAMILY = "sleep 300 & echo pids $$ $!; wait"


def test_kill_9_of_the_supervisor_leaves_no_child_and_no_grandchild(tmp_path: Path) -> None:
    programs = f"[Program('a', ('sh', '-c', {FAMILY!r}), ready_line='pids')]"
    with supervised(tmp_path, programs) as process:
        pids = re.findall(r"\d+", read_until(process, "pids").partition("pids")[2])
        family = [int(pid) for pid in pids]
        assert len(family) == 2 and all(is_alive(pid) for pid in family)
        process.kill()
        process.wait()
        assert eventually(lambda: not any(is_alive(pid) for pid in family), within=2)


def test_a_child_dies_with_the_supervisor_even_if_the_guard_is_killed_first(
    tmp_path: Path,
) -> None:
    programs = "[Program('a', ('sh', '-c', 'echo pid $$; exec sleep 300'), ready_line='pid')]"
    with supervised(tmp_path, programs) as process:
        child = int(re.findall(r"pid (\d+)", read_until(process, "pid"))[0])
        below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (guard,) = (int(pid) for pid in below if int(pid) != child)
        os.kill(guard, signal.SIGKILL)
        process.kill()
        process.wait()
        assert eventually(lambda: not is_alive(child), within=2)


def test_the_guard_ends_with_an_orderly_stop(tmp_path: Path) -> None:
    with supervised(tmp_path, "[Program('a', ('sleep', '300'))]") as process:
        read_until(process, "all ready")
        below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(below) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
        assert not any(is_alive(int(pid)) for pid in below)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_programs_in_reverse_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    names = ["first", "second", "third"]
    programs = f"[Program(n, ('sh', '-c', {script!r}), ready_line='up') for n in {names!r}]"
    with supervised(tmp_path, programs) as process:
        read_until(process, "all ready")
        process.send_signal(number)
        rest, _ = process.communicate(timeout=5)
        assert re.findall(r"(\w+) +\| bye", rest) == ["third", "second", "first"]
        assert process.returncode == 0


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace() -> None:
    stubborn = sh(
        "stubborn",
        "trap '' TERM; echo up; while :; do sleep 0.05; done",
        ready_line="up",
        grace=0.3,
    )
    began = time.monotonic()
    code, output = run(stubborn, until="all ready")
    assert code == 0
    assert "Stopping." in output
    assert time.monotonic() - began < 3


def test_a_second_request_kills_at_once(tmp_path: Path) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    programs = f"[Program('a', ('sh', '-c', {script!r}), ready_line='up', grace=60)]"
    with supervised(tmp_path, programs) as process:
        read_until(process, "all ready")
        process.send_signal(signal.SIGINT)
        read_until(process, "Stopping")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=3)


def test_programs_start_after_what_they_need(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    slow = sh("slow", f"sleep 0.3; touch {mark}; echo up; sleep 300", ready_line="^up$")
    late = sh("late", f"test -e {mark} && echo found; sleep 300", needs=("slow",))
    _, output = run(late, slow, until="found")
    assert re.search(r"late +\| found", output)


def test_a_probe_makes_ready(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    _, output = run(sh("a", f"touch {mark}; sleep 300", probe=mark.exists), until="all ready")
    assert "all ready" in output


def test_ready_is_announced_once_and_only_when_all_are_ready() -> None:
    quick = sh("quick", "sleep 300")
    slow = sh("slow", "sleep 0.3; echo up; sleep 300", ready_line="up")
    _, output = run(quick, slow, until="all ready")
    assert output.index("| up") < output.index("all ready")
    assert output.count("all ready") == 1


def test_a_crashed_program_is_started_again_with_a_growing_pause() -> None:
    code, output = run(sh("a", "echo up; exit 3"), until=r"in 2 s")
    assert code == 0
    assert "a ended with exit code 3. It starts again in 1 s." in output
    assert "a ended with exit code 3. It starts again in 2 s." in output
    assert output.count("| up") == 2


def test_what_a_crashed_program_left_behind_is_killed_before_the_restart() -> None:
    leaving = "sleep 300 & echo left $!; exit 1"
    _, output = run(sh("a", leaving), until="starts again")
    (left,) = re.findall(r"left (\d+)", output)
    assert eventually(lambda: not is_alive(int(left)), within=1)


def test_a_program_that_never_gets_ready_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.supervisor.LONGEST_BACKOFF", 0.05)
    code, output = run(sh("a", "echo no; exit 1", ready_line="never"))
    assert code == 1
    assert output.count("| no") == 3
    assert "a ended with exit code 1, 3 times before it was ready: giving up." in output


def test_a_program_that_does_not_exist_stops_the_rest_in_words() -> None:
    code, output = run(sh("a", "sleep 300"), Program("b", ("/nonexistent/program",)))
    assert code == 1
    assert "b cannot be started: " in output and "/nonexistent/program" in output


def test_a_job_is_run_once_a_failure_is_said_and_ready_waits_for_its_end() -> None:
    job = sh("job", "sleep 0.2; echo done; exit 2", needs=("a",), restart=Restart.NEVER)
    _, output = run(sh("a", "sleep 300"), job, until="all ready")
    assert output.count("| done") == 1
    assert output.index("job ended with exit code 2.") < output.index("all ready")


def test_a_program_that_may_finish_is_started_again_only_after_a_failure(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"test -e {mark} && echo second && exit 0; touch {mark}; echo first; exit 1"
    finishing = sh("a", script, restart=Restart.ON_FAILURE)
    _, output = run(finishing, sh("b", "sleep 300", needs=("a",)), until="second")
    assert re.findall(r"a \| (\w+)", output) == ["first", "second"]
    assert output.count("starts again") == 1


def test_the_last_words_are_shown_even_without_a_newline_or_in_broken_utf8() -> None:
    _, output = run(sh("a", r"printf 'caf\303\251\n\377 end'; exit 1"), until="starts again")
    assert "a | café" in output
    assert "a | \N{REPLACEMENT CHARACTER} end" in output


def test_muted_lines_are_not_shown() -> None:
    _, output = run(sh("a", "echo noise; echo news; sleep 300", mute="noise"), until="news")
    assert "noise" not in output


def test_a_flood_of_output_is_shown_whole_and_in_order() -> None:
    _, output = run(sh("a", "seq 20000; echo over; sleep 300"), until="over")
    assert re.findall(r"\| (\d+)", output) == [str(n) for n in range(1, 20001)]


def test_a_reader_that_goes_away_stops_everything(tmp_path: Path) -> None:
    programs = "[Program('a', ('sh', '-c', 'while :; do echo tick; sleep 0.05; done'))]"
    with supervised(tmp_path, programs) as process:
        read_until(process, "tick")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=5) is not None


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor([Program("a", ("true",)), Program("a", ("true",))])


@pytest.mark.parametrize(
    ("code", "words"), [(0, "with exit code 0"), (3, "with exit code 3"), (-9, "by signal SIGKILL")]
)
def test_an_exit_status_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
