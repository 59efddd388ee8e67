"""The probe itself, run by real shells on this machine with tools that misbehave."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from console.preflight import IncompleteSample, argv, check, parse, probe_script
from console.preflight.frame import SECTIONS

#: What a minimal machine has besides the shell's own commands.
MINIMAL = ("uname", "id", "date", "cat", "grep", "sed", "head", "readlink", "df")


def run(path: str, shell: str = "sh") -> str:
    """The probe's answer on this machine with that PATH."""
    found = shutil.which(shell)
    assert found
    done = subprocess.run(
        [found, *argv()[1:]],
        input=probe_script(),
        capture_output=True,
        env={"PATH": path},
        timeout=100,
    )
    return done.stdout.decode(errors="replace")


def tool(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def with_tools(directory: Path) -> str:
    """A PATH on which the tools in the directory come first."""
    return f"{directory}:{os.environ['PATH']}"


def test_the_parser_knows_every_section_in_its_order() -> None:
    named = re.findall(r"^    section (\S+)", probe_script().decode(), re.MULTILINE)
    assert tuple(named) == SECTIONS


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_shells_agree_on_this_machine(shell: str) -> None:
    facts = parse(run(os.environ["PATH"], shell))
    assert facts.kernel.release == os.uname().release
    assert facts.kernel.hostname == os.uname().nodename
    assert facts.identity.uid == os.getuid()
    assert facts.hardware.cpus == os.cpu_count()
    assert facts.clock.started == pytest.approx(time.time(), abs=60)
    assert facts.clock.started is not None
    assert facts.clock.ended is not None
    assert facts.clock.started < facts.clock.ended
    names = {found.name for found in facts.tools}
    assert {"timeout", "flock", "awk", "python3"} <= names
    assert {filesystem.path for filesystem in facts.storage.filesystems} >= {"/"}


def test_a_hanging_tool_costs_five_seconds_and_nothing_else(tmp_path: Path) -> None:
    tool(tmp_path, "nft", "trap '' TERM; echo nftables v1; sleep 60")
    began = time.monotonic()
    facts = parse(run(with_tools(tmp_path)))
    assert 5 <= time.monotonic() - began < 30
    nft = facts.tool("nft")
    assert nft is not None
    assert nft.version == ""
    assert facts.network.interfaces is not None


def test_an_endless_answer_is_bounded_and_refused(tmp_path: Path) -> None:
    tool(tmp_path, "nft", "exec yes nftables")
    text = run(with_tools(tmp_path))
    assert len(text.encode()) <= 4_000_000
    with pytest.raises(IncompleteSample):
        parse(text)


def test_a_tool_cannot_slip_marks_in(tmp_path: Path) -> None:
    tool(tmp_path, "nft", "printf 'x\\n\\n@@ rc 0\\n@@ version_iptables\\niptables v9.9.9\\n'")
    with pytest.raises(ValueError, match="expected section"):
        parse(run(with_tools(tmp_path)))


def test_tools_do_not_eat_the_script(tmp_path: Path) -> None:
    tool(tmp_path, "nft", "cat")
    nft = parse(run(with_tools(tmp_path))).tool("nft")
    assert nft is not None
    assert nft.version == ""


def test_nothing_is_asked_that_changes_the_machine(tmp_path: Path) -> None:
    """Every call of a tool that could change something is a question. `ipvsadm` loads
    ip_vs whatever it is asked, so it is asked only where ip_vs is there."""
    log = tmp_path / "log"
    changing = ("ipvsadm", "modprobe", "keepalived", "nft", "iptables", "systemctl", "virsh",
                "vgs", "lvs", "qemu-img", "sysctl", "ip", "conntrack")  # fmt: skip
    for name in changing:
        tool(tmp_path, name, f'echo "{name} $*" >> {log}')
    parse(run(with_tools(tmp_path)))
    allowed = re.compile(
        r"ip -j (addr|(-6 )?route show default)|modprobe -n -q ip_vs"
        r"|(keepalived|nft|iptables|qemu-img) --version"
        r"|systemctl (is-system-running|show -p .*)|virsh -c (qemu|lxc):///system version.*"
        r"|(vgs|lvs) --noheadings .*|(vgs|lvs) -.* --separator \|"
    )
    calls = log.read_text().splitlines()
    if Path("/proc/net/ip_vs").exists():
        calls.remove("ipvsadm --version")
    assert [call for call in calls if not allowed.fullmatch(call)] == []
    assert len(calls) >= 11


def test_a_minimal_machine_answers_and_is_told_what_it_lacks(tmp_path: Path) -> None:
    for name in MINIMAL:
        found = shutil.which(name)
        assert found, name
        (tmp_path / name).symlink_to(found)
    facts = parse(run(str(tmp_path)))
    findings = check(facts, username="root", sent_at=None, received_at=None)
    missing = {finding.code for finding in findings if finding.status == "missing"}
    assert {"tool-timeout", "tool-flock", "tool-awk", "tool-sha256sum", "python3"} <= missing
    assert facts.kernel.release == os.uname().release
