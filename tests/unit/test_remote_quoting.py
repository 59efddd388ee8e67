"""Words become one shell line in one place, and come out of the shell as they went in."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.remote.quoting import LONGEST_LINE, command_line, sudo_said_no
from console.remote.transport import Fence

SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]

HOSTILE = [
    *("", " ", "  ", "'", '"', "''", "\\", "\\\\", "\n", "\n\n", "\t", "\r", "\r\n", "$", "$HOME"),
    *("$(id)", "`id`", "${x}", "$'a'", "*", "?", "[a-z]", "~", "~root", "-", "--", "-n", "-e"),
    *("!", "!!", "#", "# x", "&", "&&", "|", "||", ";", ";;", "<", ">", ">>", "<<EOF", "(", ")"),
    *("{a,b}", "%s", "%n", "\\0", "\\n", "a=b", "=", "^", "\x01", "\x07", "\x1b[31m", "\x7f"),
    *("é", "漢字", "🦊", "\u202e", "\u2028", "\ufeff", "\udc80", "\udcff", "'\"'\"'", "\\'"),
    *(
        "/etc/passwd",
        "a b",
        " lead",
        "trail ",
        "exit 1",
        "\x0b",
        "\x0c",
        "-rf",
        "--help",
        "9>&1",
        "'\n'",
    ),
]
ALPHABET = "ab '\"\\$`*?[]{}()<>|&;!#~=%^-\n\t\r\x01\x1b\x7fé漢🦊\u2028"


def hostile_lists(count: int, seed: int) -> Iterator[list[str]]:
    chance = random.Random(seed)
    for _ in range(count):
        yield [
            chance.choice(HOSTILE)
            if chance.random() < 0.6
            else "".join(chance.choices(ALPHABET, k=chance.randrange(12)))
            for _ in range(chance.randrange(6))
        ]


def batches(lists: list[list[str]], size: int) -> Iterator[list[list[str]]]:
    for start in range(0, len(lists), size):
        yield lists[start : start + size]


def flat(lists: list[list[str]]) -> list[str]:
    """Every list with its length before it, so that nothing can shift unseen."""
    return [word for words in lists for word in (str(len(words)), *words)]


def what_comes_out(shell: str, line: bytes, **environment: str) -> list[str]:
    done = subprocess.run(
        [shell, "-c", line], capture_output=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr
    return [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("shell", SHELLS)
def test_ten_thousand_hostile_lists_come_out_as_they_went_in(shell: str) -> None:
    lists = list(hostile_lists(10_000, seed=20261120))
    assert len(lists) == 10_000
    for batch in batches(lists, 250):
        words = flat(batch)
        line = command_line(
            ("printf", r"%s\0", *words), username="root", timeout=60, has_stdin=False
        )
        assert what_comes_out(shell, line) == words


@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_words_survive_sudo_and_fence(shell: str, tmp_path: Path) -> None:
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text('#!/bin/sh\n[ "$1" = -n ] || exit 99\nshift\nexec "$@"\n')
    sudo.chmod(0o755)
    path = f"{sudo.parent}:{os.environ['PATH']}"
    for number, batch in enumerate(batches(list(hostile_lists(1_000, seed=7)), 250)):
        words = flat(batch)
        line = command_line(
            ("printf", r"%s\0", *words),
            username="evenkeel",
            timeout=60,
            has_stdin=False,
            fence=Fence("quoting", number),
            fence_directory=str(tmp_path / "fence"),
        )
        assert what_comes_out(shell, line, PATH=path) == words


@pytest.mark.parametrize("word", ["-x", "--help", "LC_ALL=x", "two words", "a\nb"])
def test_a_strange_program_name_stays_a_program_name(word: str, tmp_path: Path) -> None:
    program = tmp_path / word
    program.write_text("#!/bin/sh\necho it ran\n")
    program.chmod(0o755)
    line = command_line((word,), username="root", timeout=5, has_stdin=False)
    done = subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.stdout == b"it ran\n"


LINES = [
    pytest.param(
        {"username": "root", "timeout": 60, "has_stdin": False},
        "exec env LC_ALL=C timeout -k 5 60 ipvsadm -S -n </dev/null",
        id="root-without-input",
    ),
    pytest.param(
        {"username": "root", "timeout": 0.5, "has_stdin": True},
        "exec env LC_ALL=C timeout -k 5 0.5 ipvsadm -S -n",
        id="root-with-input",
    ),
    pytest.param(
        {"username": "evenkeel", "timeout": 1200, "has_stdin": False},
        "exec env LC_ALL=C sudo -n env LC_ALL=C timeout -k 5 1200 ipvsadm -S -n </dev/null",
        id="other-user-through-sudo",
    ),
]


@pytest.mark.parametrize(("options", "expected"), LINES)
def test_the_line(options: dict[str, object], expected: str) -> None:
    line = command_line(("ipvsadm", "-S", "-n"), **options)  # type: ignore[arg-type]
    assert line == expected.encode()


REFUSED = [
    pytest.param((), 60, "at least one word", id="nothing"),
    pytest.param(("echo", "a\0b"), 60, "word 1 .* NUL", id="nul"),
    pytest.param(("echo", "\ud800"), 60, "word 1 .* not valid text", id="lone-surrogate"),
    pytest.param(("true",), 0, "positive number of seconds", id="no-time"),
    pytest.param(("true",), -1, "positive number of seconds", id="negative-time"),
    pytest.param(("true",), float("nan"), "positive number of seconds", id="nan"),
    pytest.param(("true",), float("inf"), "positive number of seconds", id="for-ever"),
    pytest.param(("true", "x" * LONGEST_LINE), 60, "send the bulk on standard input", id="long"),
]


@pytest.mark.parametrize(("argv", "timeout", "words"), REFUSED)
def test_what_cannot_be_said_is_refused_in_words(
    argv: tuple[str, ...], timeout: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        command_line(argv, username="root", timeout=timeout, has_stdin=False)


def test_the_longest_line_is_what_the_kernel_takes() -> None:
    bare = len(command_line(("true", "x"), username="root", timeout=60, has_stdin=False)) - 1
    line = command_line(
        ("true", "x" * (LONGEST_LINE - bare)), username="root", timeout=60, has_stdin=False
    )
    assert len(line) == LONGEST_LINE
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["sh", "-c", line + b"x"], check=False)


# sudo 1.9.13 (Debian 12), sudo 1.8 (CentOS 7), sudo-rs 0.2, and shells without sudo.
SUDO_SAYS = [
    ("evenkeel", 1, "sudo: a password is required\n", True),
    ("evenkeel", 1, "sudo: a terminal is required to read the password\n", True),
    ("evenkeel", 1, "sudo: no tty present and no askpass program specified\n", True),
    ("evenkeel", 1, "sudo: interactive authentication is required\n", True),
    ("evenkeel", 1, "evenkeel is not in the sudoers file.\n", True),
    ("evenkeel", 1, "Sorry, user evenkeel is not allowed to execute '/bin/x' as root\n", True),
    ("evenkeel", 127, "env: 'sudo': No such file or directory\n", True),
    ("evenkeel", 127, "timeout: failed to run command 'x': No such file or directory\n", False),
    ("evenkeel", 1, "sudo: unable to resolve host box: Name or service not known\n", False),
    ("evenkeel", 2, "sudo: a password is required\n", False),
    ("evenkeel", 1, "Memory allocation problem\n", False),
    ("root", 1, "sudo: a password is required\n", False),
]


@pytest.mark.parametrize(("username", "exit_code", "stderr", "expected"), SUDO_SAYS)
def test_sudo_is_told_from_the_command(
    username: str, exit_code: int, stderr: str, expected: bool
) -> None:
    assert sudo_said_no(username, exit_code, stderr) is expected
