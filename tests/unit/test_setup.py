"""setup.sh against stand-ins for the machine's tools, which write down how they were called."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

#: Answers for python3, .venv/bin/python and what they are asked to run.
PYTHON = """\
case "$*" in
"-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m lab preflight") exit 1 ;;
"-m lab packages") echo "qemu-utils e2fsprogs" ;;
"-m pip config list") cat "$HOME/pip.config" 2>/dev/null ;;
*uv*install*requirement=requirements.txt*) test ! -e "$HOME/no-network" ;;
*pip*install*requirement=requirements.txt*) test ! -e "$HOME/no-network" ;;
esac
"""
TOOLS = {
    "python3": PYTHON,
    "npm": "case $1 in --version) echo 9.2.0 ;; ci) mkdir -p node_modules ;; esac",
    "dpkg": "true",
    "dpkg-query": 'grep -qx "$4" "$HOME/installed" && printf "ii "',
    "apt-get": """\
test -z "$DEBIAN_FRONTEND" && echo "asks questions" >>"$HOME/calls"
case "$*" in
*update*) touch "$HOME/lists" ;;
*simulate*) test -e "$HOME/lists" ;;
*install*) printf '%s\\n' qemu-utils e2fsprogs >>"$HOME/installed" ;;
esac
""",
    "sudo": 'test "$1" = -v || exec "$@"',
    "id": "echo 0",
}


class Machine:
    """A checkout with setup.sh, and a PATH on which the stand-ins come first."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.tree = directory / "tree"
        self.bin = directory / "bin"
        for path in (self.home, self.tree, self.bin):
            path.mkdir()
        shutil.copy(ROOT / "setup.sh", self.tree)
        for name in ("requirements.txt", "requirements-uv.txt", "package-lock.json"):
            (self.tree / name).write_text("uv==1\n")
        (self.home / "installed").touch()
        (self.home / "lists").touch()
        for name, body in TOOLS.items():
            self.tool(name, body)

    def tool(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "${{0##*/}} $*" >>"$HOME/calls"\n{body}\n')
        path.chmod(0o755)

    def run(self, *words: str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
        (self.home / "calls").write_text("")
        return subprocess.run(
            ("./setup.sh", *words),
            cwd=self.tree,
            env={"PATH": f"{self.bin}:{path}", "HOME": str(self.home)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )

    def calls(self, of: str) -> list[str]:
        """How a tool was called in the last run, without its name."""
        lines = (self.home / "calls").read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == of]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_second_run_installs_nothing_and_is_instant(machine: Machine) -> None:
    first = machine.run("run")
    assert first.returncode == 0, first.stderr
    assert "Making a virtual environment" in first.stdout
    assert [call for call in machine.calls("npm") if call.startswith("ci --ignore-scripts")]
    began = time.monotonic()
    second = machine.run("run")
    assert time.monotonic() - began < 2
    assert (second.returncode, second.stdout) == (0, "")
    assert machine.calls("apt-get") == []
    assert not [call for call in machine.calls("python") if "install" in call]
    assert not [call for call in machine.calls("npm") if call.startswith("ci")]


def test_packages_are_pinned_by_hash(machine: Machine) -> None:
    machine.run("run")
    installs = [call for call in machine.calls("python") if " install " in call]
    assert len(installs) == 2
    assert all("--require-hashes" in call for call in installs)


def test_changed_pins_are_installed(machine: Machine) -> None:
    machine.run("run")
    (machine.tree / "requirements.txt").write_text("uv==2\n")
    machine.run("run")
    assert [call for call in machine.calls("python") if "requirement=requirements.txt" in call]


def test_what_failed_is_tried_again_the_next_time(machine: Machine) -> None:
    (machine.home / "no-network").touch()
    failed = machine.run("run")
    assert failed.returncode == 1
    assert "is the network there?" in failed.stderr
    (machine.home / "no-network").unlink()
    assert machine.run("run").returncode == 0
    assert [call for call in machine.calls("python") if "requirement=requirements.txt" in call]


def test_pip_is_used_where_it_is_configured_for_another_registry(machine: Machine) -> None:
    (machine.home / "pip.config").write_text("global.index-url='https://example.com/simple'\n")
    assert machine.run("run").returncode == 0
    assert not [call for call in machine.calls("python") if call.startswith("-m uv")]
    assert [
        call for call in machine.calls("python") if call.startswith("-m pip") and "install" in call
    ]


def test_missing_debian_packages_are_named_and_come_in_one_call(machine: Machine) -> None:
    (machine.home / "installed").write_text("e2fsprogs\n")
    result = machine.run("lab")
    assert result.returncode == 0, result.stderr
    assert "Installing Debian packages: qemu-utils" in result.stdout
    installs = [call for call in machine.calls("apt-get") if "simulate" not in call]
    assert len(installs) == 1
    assert installs[0].endswith("install --no-install-recommends qemu-utils")
    assert "asks questions" not in (machine.home / "calls").read_text()
    assert machine.calls("sudo") == []


def test_the_lists_of_packages_are_fetched_only_where_they_are_needed(machine: Machine) -> None:
    machine.run("lab")
    assert not [call for call in machine.calls("apt-get") if "update" in call]
    (machine.home / "installed").write_text("")
    (machine.home / "lists").unlink()
    assert machine.run("lab").returncode == 0
    assert [call for call in machine.calls("apt-get") if "update" in call]


def test_a_user_becomes_root_by_sudo_and_only_for_packages(machine: Machine) -> None:
    machine.tool("id", "echo 1000")
    assert machine.run("lab").returncode == 0
    asked = machine.calls("sudo")
    assert asked[0] == "-v"
    assert asked[1] == "dpkg --audit"
    assert asked[2:] and all("apt-get" in call for call in asked[2:])


def test_without_sudo_a_user_is_told_what_to_type_as_root(machine: Machine, tmp_path: Path) -> None:
    machine.tool("id", "echo 1000")
    (machine.bin / "sudo").unlink()
    without = tmp_path / "without"
    without.mkdir()
    for name in ("bash", "dirname", "mkdir", "flock", "grep", "cat", "env", "sh"):
        found = shutil.which(name)
        assert found is not None
        (without / name).symlink_to(found)
    result = machine.run("lab", path=str(without))
    assert result.returncode == 1
    assert "as root, run: apt-get install --no-install-recommends qemu-utils" in result.stderr
    assert machine.calls("apt-get") == []


def test_a_failure_of_apt_shows_its_last_words(machine: Machine) -> None:
    machine.tool(
        "apt-get", 'case "$*" in *simulate*|*update*) ;; *) echo "E: no space"; exit 100;; esac'
    )
    result = machine.run("lab")
    assert result.returncode == 1
    assert "E: no space" in result.stderr
    assert "var/setup/apt*.log" in result.stderr


def test_an_interrupted_dpkg_is_finished_first(machine: Machine) -> None:
    machine.tool("dpkg", 'test "$1" = --audit && test ! -e "$HOME/mended" && echo "in a mess"')
    machine.tool("apt-get", 'test -e "$HOME/mended"')
    (machine.bin / "env").write_text(
        '#!/bin/sh\ncase "$*" in *dpkg*--configure*) touch "$HOME/mended" ;;'
        ' *) exec /usr/bin/env "$@" ;; esac\n'
    )
    (machine.bin / "env").chmod(0o755)
    result = machine.run("lab")
    assert result.returncode == 0, result.stderr
    assert "Finishing an interrupted installation" in result.stdout


def test_a_set_that_does_not_exist_is_refused(machine: Machine) -> None:
    result = machine.run("everything")
    assert result.returncode == 1
    assert "choose run, lab, demo or test" in result.stderr


def test_an_interruption_says_so_and_leaves_no_process(machine: Machine) -> None:
    machine.tool("npm", "case $1 in --version) echo 9 ;; ci) sleep 300 ;; esac")
    process = subprocess.Popen(
        ("./setup.sh", "run"),
        cwd=machine.tree,
        env={"PATH": f"{machine.bin}:/usr/bin:/bin", "HOME": str(machine.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell cannot trap what its parent ignored: these tests may run in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 30
    while not (machine.tree / "var/setup/npm.log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C sends to a terminal's foreground group
    _, said = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "interrupted; run it again" in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
