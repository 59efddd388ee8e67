"""How the test run counts, since its last line is what others believe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import stages
from tests.processes import eventually, is_alive
from tests.stages import Tally


@pytest.fixture
def tests_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of tests of its own, run by the stages as if it were the project."""
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return tmp_path


def test_passed_and_failed_tests_are_counted(tests_in: Path) -> None:
    (tests_in / "test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 0\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError\n"
        "def test_error(broken): pass\n"
        "def test_good_too(): pass\n"
    )
    assert stages.pytest("test_some.py") == Tally(passed=2, failed=2)


def test_a_skipped_test_is_a_failed_one(tests_in: Path) -> None:
    (tests_in / "test_some.py").write_text(
        "import pytest\ndef test_good(): pass\ndef test_lazy(): pytest.skip()\n"
    )
    assert stages.pytest("test_some.py") == Tally(passed=1, failed=1)


def test_no_tests_at_all_is_a_failure(tests_in: Path) -> None:
    (tests_in / "empty").mkdir()
    assert stages.pytest("empty") == Tally(failed=1)


def test_a_directory_that_is_missing_does_not_become_a_run_of_everything(tests_in: Path) -> None:
    (tests_in / "test_some.py").write_text("def test_good(): pass\n")
    assert stages.pytest("absent") == Tally(failed=1)


def test_a_file_that_cannot_be_imported_is_a_failure(tests_in: Path) -> None:
    (tests_in / "test_some.py").write_text("import no_such_module\n")
    assert stages.pytest("test_some.py").failed == 1


def test_a_crash_of_the_test_runner_is_a_failure(tests_in: Path) -> None:
    (tests_in / "test_some.py").write_text("import os\ndef test_crash(): os._exit(0)\n")
    assert stages.pytest("test_some.py") == Tally(failed=1)


def test_a_command_is_one_test() -> None:
    assert stages.check("true") == Tally(passed=1)
    assert stages.check("false") == Tally(failed=1)


def test_a_command_that_hangs_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TIMEOUT", 0.3)
    mark = tmp_path / "pid"
    assert stages.run("sh", "-c", f"sleep 300 & echo $! > {mark}; wait") == 124
    child = int(mark.read_text())
    assert eventually(lambda: not is_alive(child))


@pytest.mark.parametrize(
    ("results", "code", "last"),
    [
        ([Tally(3, 0), Tally(4, 0)], 0, "7 passed, 0 failed"),
        ([Tally(3, 0), Tally(4, 1)], 1, "7 passed, 1 failed"),
        ([OSError("no such program"), Tally(4, 0)], 1, "4 passed, 1 failed"),
    ],
)
def test_the_last_line_sums_the_stages(
    results: list[Tally | OSError],
    code: int,
    last: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stage_of(result: Tally | OSError) -> object:
        def stage() -> Tally:
            if isinstance(result, OSError):
                raise result
            return result

        return stage

    numbered = {f"stage{n}": stage_of(result) for n, result in enumerate(results)}
    monkeypatch.setattr(stages, "STAGES", numbered)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert stages.main([]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_the_scripts_of_the_project_are_found_to_be_checked() -> None:
    found = stages.shell_scripts()
    assert {"setup.sh", ".ci/run"} <= set(found)
    assert not [path for path in found if path.startswith((".venv", "node_modules"))]


def test_every_stage_has_a_target_in_the_makefile() -> None:
    makefile = (stages.ROOT / "Makefile").read_text()
    (line,) = [text for text in makefile.splitlines() if "## one stage" in text]
    assert set(line.partition(":")[0].split()) == set(stages.STAGES)
