"""`python -m tests.stages [STAGE…]`: every check and test of the project, with a summary.

The last line is `N passed, N failed`, summed over the stages. A stage in which no test ran has
failed, and so has a test that was skipped: neither has proved anything.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cryptography.fernet import Fernet

from console.lifeline import kill_group, tied_to_parent
from tests.postgres import private_postgresql

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
#: Seconds that one command may take before it counts as hung.
TIMEOUT = 1800
#: Not ours, or made by tools.
FOREIGN = {".venv", "node_modules", "var", ".git"}


@dataclass(frozen=True)
class Tally:
    """How many tests passed, and how many did not."""

    passed: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def run(*argv: str, env: Mapping[str, str] | None = None) -> int:
    """Run a command, its output shown, and return its exit code; 124 if it hung."""
    print(f"$ {' '.join(argv)}", flush=True)
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=tied_to_parent(signal.SIGKILL),
    )
    try:
        return process.wait(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        print(f"Killed: it took longer than {TIMEOUT} s.", flush=True)
        return 124
    finally:
        kill_group(process.pid)


def check(*argv: str, env: Mapping[str, str] | None = None) -> Tally:
    """A command as one test."""
    return Tally(passed=1) if run(*argv, env=env) == 0 else Tally(failed=1)


def pytest(*paths: str, env: Mapping[str, str] | None = None, workers: str = "") -> Tally:
    """Run the tests below `paths`, in a state directory of their own; with `workers`, so many
    files at once."""
    with tempfile.TemporaryDirectory(prefix="ek-") as directory:
        report = Path(directory) / "report.xml"
        command = (
            PYTHON,
            "-m",
            "pytest",
            "-q",
            "--no-header",
            f"--junit-xml={report}",
            *paths,
        )
        if workers:
            command += ("-n", workers, "--dist", "loadfile")
        code = run(*command, env={"EVENKEEL_STATE_DIR": f"{directory}/state", **(env or {})})
        tally = read_report(report) if report.exists() else Tally()
    if code != 0 or tally.passed == 0:
        return tally + Tally(failed=0 if tally.failed else 1)
    return tally


def read_report(path: Path) -> Tally:
    """Sum a JUnit report as pytest writes it. A skipped test counts as failed."""
    passed = failed = 0
    for suite in ElementTree.parse(path).iter("testsuite"):
        bad = sum(int(suite.get(kind, "0")) for kind in ("failures", "errors", "skipped"))
        failed += bad
        passed += max(0, int(suite.get("tests", "0")) - bad)
    return Tally(passed, failed)


def shell_scripts() -> list[str]:
    """Every file of the project that a shell runs."""
    found = []
    for directory, names, files in os.walk(ROOT):
        names[:] = sorted(set(names) - FOREIGN)
        for path in (Path(directory) / name for name in sorted(files)):
            with path.open("rb") as script:
                first = script.readline(80)
            if first.startswith(b"#!") and b"sh" in first and path.is_file():
                found.append(str(path.relative_to(ROOT)))
    return found


def lint() -> Tally:
    return (
        check(PYTHON, "-m", "ruff", "check", ".")
        + check(PYTHON, "-m", "ruff", "format", "--check", ".")
        + check(PYTHON, "-m", "djlint", "--lint", "--quiet", "templates")
        + check(f"{sys.prefix}/bin/shellcheck", *shell_scripts())
    )


def types() -> Tally:
    return check(PYTHON, "-m", "mypy", ".")


def production() -> dict[str, str]:
    """An environment as docs describe it for production, with secrets of the moment."""
    return {
        "ALLOWED_HOSTS": "console.example.com",
        "CSRF_TRUSTED_ORIGINS": "https://console.example.com",
        "EVENKEEL_HTTPS": "yes",
        "EVENKEEL_SECRETS_KEYS": Fernet.generate_key().decode(),
        "POSTGRES_PASSWORD": "of-the-moment",
        "SECRET_KEY": Fernet.generate_key().decode() * 2,
    }


def checks() -> Tally:
    """Django's own checks, and the files for containers."""
    manage = (PYTHON, "manage.py")
    with tempfile.TemporaryDirectory(prefix="ek-") as directory:
        env = {**production(), "EVENKEEL_STATE_DIR": directory}
        django = check(*manage, "check", "--deploy", "--fail-level", "WARNING", env=env)
        django += check(*manage, "makemigrations", "--check", "--dry-run", env=env)
    return django + compose()


def compose() -> Tally:
    """docker-compose.yml against the specification, and as Compose itself reads it.

    Without its variables it must be refused: there is no default password.
    """
    schema = ("check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    tally = check(PYTHON, "-m", *schema)
    has_plugin = shutil.which("docker") and run("docker", "compose", "version") == 0
    command = ("docker", "compose") if has_plugin else ("docker-compose",)
    with tempfile.NamedTemporaryFile(prefix="ek-") as empty:
        config = (*command, "--env-file", empty.name, "config", "--quiet")
        tally += check(*config, env=production())
        return tally + (Tally(failed=1) if run(*config) == 0 else Tally(passed=1))


def unit() -> Tally:
    return pytest("tests/unit", "tests/test_architecture.py", workers="auto")


def app() -> Tally:
    return pytest("tests/app", workers="auto")


def postgres() -> Tally:
    """Unit and app tests once more, on PostgreSQL; not those of the embedded console."""
    embedded = "--ignore=tests/app/test_console_command.py"
    with private_postgresql() as url:
        return pytest(
            "tests/unit", "tests/app", embedded, env={"DATABASE_URL": url}, workers="auto"
        )


def access() -> Tally:
    return pytest("tests/access", workers="auto")


def remote() -> Tally:
    return pytest("tests/remote")


@contextlib.contextmanager
def running_racks(count: int) -> Iterator[bool]:
    """So many racks of the laboratory, up; whether that worked. Those that were up before
    are left up.

    EVENKEEL_TEST_RACK is the number of the first one; see `tests.racks`.
    """
    first = int(os.environ.get("EVENKEEL_TEST_RACK", "0"))
    labs = [("python3", "-m", "lab", "--instance", str(first + one)) for one in range(count)]
    down = [lab for lab in labs if run(*lab, "status") != 0]
    try:
        yield all(run(*lab, "up") == 0 for lab in labs)
    finally:
        for lab in down:
            run(*lab, "down")


def rack() -> Tally:
    """The tests of the laboratory, on two racks at once: each leaves its core idle at times."""
    with running_racks(2) as are_up:
        return pytest("tests/lab", workers="2") if are_up else Tally(failed=1)


def unproved() -> Tally:
    """Tests that have not passed on the rack yet; run only when asked for by name."""
    with running_racks(1) as is_up:
        return pytest("tests/unproved") if is_up else Tally(failed=1)


def browser() -> Tally:
    with running_racks(1) as is_up:
        return pytest("tests/browser") if is_up else Tally(failed=1)


STAGES: dict[str, Callable[[], Tally]] = {
    stage.__name__: stage
    for stage in (lint, types, checks, unit, app, postgres, access, remote, rack, browser, unproved)
}


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stages", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    chosen = parser.parse_args(words).stages or [name for name in STAGES if name != "unproved"]
    if unknown := set(chosen) - set(STAGES):
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ.pop("DATABASE_URL", None)
    os.environ.pop("REDIS_URL", None)
    rows = []
    total = Tally()
    for name in chosen:
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        try:
            tally = STAGES[name]()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(error, flush=True)
            tally = Tally(failed=1)
        rows.append(f"{name:10}{time.monotonic() - began:7.1f} s   {tally}")
        total += tally
    print("\n=== summary", *rows, sep="\n")
    print(total, flush=True)
    return 0 if total.passed and not total.failed else 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
