"""The fake director is held against what the real tools were seen to answer."""

from __future__ import annotations

import re

import pytest

from tests.fakes.ipvs_kernel import FakeIpvs
from tests.unit.captured import captured, ipvsadm, kernel


def director() -> FakeIpvs:
    """The table of the captures."""
    fake = FakeIpvs()
    fake.load(ipvsadm("-S -n"))
    limited = fake.server("-t 10.10.0.51:80", "10.20.0.12:80")
    limited.upper, limited.lower, limited.active, limited.inactive = 20, 10, 4, 2
    fake.server("-t 10.10.0.60:80", "10.20.0.11:80").upper = 100
    fake.server("-t 10.10.0.60:80", "10.20.0.11:80").lower = 50
    return fake


@pytest.mark.parametrize("arguments", ["-S -n", "-Ln --thresholds", "-Ln --sort"])
def test_it_prints_like_ipvsadm(arguments: str) -> None:
    code, out, said = director().run(("ipvsadm", *arguments.split()))
    assert (code, said) == (0, "")
    assert out == ipvsadm(arguments)


def sections(text: str) -> list[str]:
    """The services of a /proc listing in any order: theirs is that of a hash."""
    return sorted(re.split(r"\n(?=\w)", text.strip("\n")))


def test_it_prints_like_the_kernel() -> None:
    code, out, _ = director().run(("cat", "/proc/net/ip_vs"))
    assert code == 0
    assert sections(out) == sections(kernel("ip_vs"))


@pytest.mark.parametrize(("name", "commands"), [("semantics", 121), ("addresses", 31)])
def test_it_answers_a_whole_session_like_the_director(name: str, commands: int) -> None:
    """Commands typed on a Debian 12 director, each with its output and exit code."""
    parts = captured(f"ipvsadm-1.31_{name}.transcript").split("$ ")[1:]
    assert len(parts) == commands
    fake = FakeIpvs()
    for part in parts:
        command, _, answer = part.partition("\n")
        said, _, expected = answer.rpartition("rc=")
        code, out, error = fake.run(tuple(command.split()))
        assert (command, code) == (command, int(expected))
        if command.startswith("cat"):
            assert sections(out) == sections(said)
        else:
            assert (command, out + error) == (command, said)


def transcript() -> list[tuple[str, str, int]]:
    """(command line, what it said, exit code) of every single command that went wrong."""
    text = captured("ipvsadm-1.31_errors.transcript").partition("== single errors\n")[2]
    found = []
    for part in text.split("$ ")[1:]:
        command, _, answer = part.partition("\n")
        said, _, code = answer.partition("rc=")
        found.append((command, said, int(code.split()[0])))
    return [case for case in found if case[0] != "ipvsadm"]


def test_it_refuses_like_ipvsadm() -> None:
    cases = transcript()
    assert len(cases) == 27
    fake = FakeIpvs()
    fake.load("-A -t 10.1.0.1:80 -s rr\n-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1\n")
    answers = []
    for command, _, _ in cases:
        code, out, said = fake.run(tuple(command.split()))
        answers.append((command, said + out, code))
    assert answers == cases


@pytest.mark.parametrize(
    ("lines", "code", "said", "saved"),
    [
        # An error of the kernel: the rest is applied, and the last line decides the exit code.
        (
            ["-A -t 10.1.0.1:80 -s rr", "-A -t 10.1.0.1:80 -s rr", "-A -t 10.1.0.2:80 -s rr"],
            0,
            "Service already exists\n",
            ["-A -t 10.1.0.1:80 -s rr", "-A -t 10.1.0.2:80 -s rr"],
        ),
        (
            ["-A -t 10.1.0.1:80 -s rr", "-D -t 10.1.0.2:80"],
            255,
            "No such service\n",
            ["-A -t 10.1.0.1:80 -s rr"],
        ),
        # A syntax error ends the run.
        (
            ["-A -t 10.1.0.1:80 -s rr", "-A -t 10.1.0.2:80 -p banana", "-A -t 10.1.0.3:80 -s rr"],
            2,
            "invalid timeout value `banana' specified\n",
            ["-A -t 10.1.0.1:80 -s rr"],
        ),
        (
            ["# a comment", "-A -t 10.1.0.1:80 -s rr"],
            255,
            "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n",
            [],
        ),
        (["", "-A -t 10.1.0.1:80 -s rr", "-C"], 0, "", []),
    ],
)
def test_restore_goes_wrong_like_ipvsadm(
    lines: list[str], code: int, said: str, saved: list[str]
) -> None:
    fake = FakeIpvs()
    text = "".join(f"{line}\n" for line in lines)
    assert fake.run(("ipvsadm", "-R"), text.encode()) == (code, "", said)
    assert fake.save_text().splitlines() == saved


def test_an_edit_resets_what_it_does_not_say() -> None:
    fake = FakeIpvs()
    fake.load(
        "-A -t 10.1.0.1:80 -s rr -p 60\n-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 5 -x 10 -y 5\n"
    )
    fake.server("-t 10.1.0.1:80", "10.2.0.1:80").active = 7
    fake.load("-e -t 10.1.0.1:80 -r 10.2.0.1:80 -w 0\n-E -t 10.1.0.1:80\n")
    server = fake.server("-t 10.1.0.1:80", "10.2.0.1:80")
    assert (server.method, server.weight, server.upper, server.lower) == ("g", 0, 0, 0)
    assert server.active == 7
    assert fake.save_text().startswith("-A -t 10.1.0.1:80 -s wlc\n")


def test_a_refusal_can_be_ordered() -> None:
    fake = FakeIpvs()
    fake.refusals["-a -t 10.1.0.1:80"] = "Memory allocation problem"
    code, _, said = fake.run(
        ("ipvsadm", "-R"),
        b"-A -t 10.1.0.1:80 -s rr\n-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m\n-A -f 1 -s rr\n",
    )
    assert (code, said) == (0, "Memory allocation problem\n")
    assert fake.log[-1] == "-A -f 1 -s rr"


def test_timeouts_daemons_and_reboot() -> None:
    fake = FakeIpvs()
    assert fake.run(("ipvsadm", "--set", "0", "100", "200"))[0] == 0
    assert fake.run(("ipvsadm", "-L", "--timeout"))[1] == "Timeout (tcp tcpfin udp): 900 100 200\n"
    for role in ("master", "backup"):
        start = ("--start-daemon", role, "--mcast-interface", "eth2", "--syncid", "7")
        assert fake.run(("ipvsadm", *start)) == (0, "", "")
    assert fake.run(("ipvsadm", "-L", "--daemon"))[1] == ipvsadm("-L --daemon")
    mixed = b"-A -t 10.1.0.1:80 -s rr\n-a -t 10.1.0.1:80 -r [fd00::1]:80 -i\n"
    assert "Invalid operation" in fake.run(("ipvsadm", "-R"), mixed)[2]
    assert fake.run(("ipvsadm", "--stop-daemon", "master"))[0] == 0
    assert fake.run(("ipvsadm", "--stop-daemon", "master"))[2] == "No daemon is running\n"
    fake.reboot()
    assert fake.run(("ipvsadm", "-L", "--daemon"))[1] == ""
    assert fake.save_text() == ""


def test_other_commands_are_not_there() -> None:
    assert FakeIpvs().run(("virsh", "list"))[0] == 127
