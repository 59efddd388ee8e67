"""The undo that is left on a director: what takes each kind of step back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from console.planning import Effect, Line, Plan, Step
from lvs.director import boot, nft_plan, undo
from lvs.director.planner import SETTINGS_ARGV, write_file
from lvs.ipvsadm import planner

OURS = undo.Undo(operation=12, seconds=60, lock="/l/.director-1.lock", fence="/l/d", last=12999)


def armed(step: Step) -> str:
    text = undo.arm(OURS, Plan((step,)), "000000000012-001-1").stdin
    assert text is not None
    return text.decode()


def change(text: str, effect: Effect = Effect.CHANGE, before: str = "") -> Line:
    return Line(text, effect, before)


@pytest.mark.parametrize(
    ("step", "lines"),
    [
        (
            Step("t", planner.ARGV, (change("-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1",
                                            Effect.ADD),)),
            ["-d -t 10.0.0.1:80 -r 10.1.0.1:80", "echo 'ipvsadm -R < 0.rules' >> undo"],
        ),
        (
            Step("v", ("ip", "-batch", "-"), (change("address add fd00::1/128 dev e0 nodad",
                                                     Effect.ADD),)),
            ["address delete fd00::1/128 dev e0", "echo 'ip -force -batch 0.ip' >> undo"],
        ),
        (
            Step("v", ("ip", "-batch", "-"), (change("address delete fd00::1/128 dev e0",
                                                     Effect.REMOVE),)),
            ["address add fd00::1/128 dev e0 nodad"],
        ),
        (
            Step("r", ("ip", "-batch", "-"), (change(boot.route_words("add", "10.9.0.0/24"),
                                                     Effect.ADD),)),
            [boot.route_words("delete", "10.9.0.0/24")],
        ),
        (
            Step("s", SETTINGS_ARGV, (change("net.ipv4.vs.drop_entry = 1", before=
                                             "net.ipv4.vs.drop_entry = 0"),)),
            ["net.ipv4.vs.drop_entry = 0", "echo 'sysctl -q -p 0.sysctl' >> undo"],
        ),
    ],
    ids=["table", "VIP added", "VIP removed", "route added", "settings"],
)  # fmt: skip
def test_each_step_has_the_lines_that_take_it_back(step: Step, lines: list[str]) -> None:
    script = armed(step)
    assert all(line in script.splitlines() for line in lines), script
    assert undo.cannot_undo(Plan((step,))) == []


def test_what_a_step_keeps_goes_before_any_other_way() -> None:
    step = Step("n", nft_plan.ARGV, (change("add x", Effect.ADD),), keep="echo 'nft -f old'")
    assert "{\necho 'nft -f old'\n} >> undo\n" in armed(step)


def test_step_without_a_way_back_is_named() -> None:
    assert undo.cannot_undo(Plan((write_file("Write it", "/x", b""),))) == ["Write it"]


def test_longer_batches_have_more_time() -> None:
    lines = tuple(change(f"-D -f {n}", Effect.REMOVE, f"-A -f {n} -s rr") for n in range(1000))
    assert OURS.seconds_for(Plan((Step("t", planner.ARGV, lines),))) == 64


def test_script_is_shell(tmp_path: Path) -> None:
    script = armed(Step("n", ("nft",), keep="echo 'nft -f old'"))
    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    settle = undo.settle(OURS).argv[2]
    done = subprocess.run(["sh", "-n"], input=settle, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
