"""KVM or emulation? A `/dev/kvm` that opens may still not run a guest, so one is booted."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

from lab import qemu, store
from lab.errors import LabError
from lab.host import tool
from lab.progress import say

PROBE_SECONDS = 10
PROBE_MARK = b"LAB-PROBE-OK"


def _why_not_openable() -> str:
    """Why /dev/kvm cannot be used without a try, or an empty string."""
    device = Path("/dev/kvm")
    if not device.exists():
        return "there is no /dev/kvm"
    if not os.access(device, os.R_OK | os.W_OK):
        return "/dev/kvm may not be opened by this user (group kvm)"
    return ""


def _runs_a_guest(image: Path) -> bool:
    """Whether the kernel boots to its first program under KVM within a few seconds."""
    command = [
        tool("qemu-system-x86_64"),
        *("-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "512", "-smp", "2"),
        *("-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot"),
        *("-serial", "stdio"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")),
        *("-append", "console=ttyS0 quiet lab.probe"),
    ]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
            preexec_fn=qemu.die_with_parent,
        )
    except subprocess.TimeoutExpired as error:
        return PROBE_MARK in (error.stdout or b"")
    return PROBE_MARK in answer.stdout


def choose(image: Path) -> tuple[str, str]:
    """("kvm" or "tcg", why). EVENKEEL_LAB_ACCEL forces one; a probe's answer is remembered for
    this machine, kernel and QEMU."""
    forced = os.environ.get("EVENKEEL_LAB_ACCEL")
    if forced:
        if forced not in ("kvm", "tcg"):
            raise LabError(f"EVENKEEL_LAB_ACCEL is {forced!r}: kvm or tcg")
        return forced, "EVENKEEL_LAB_ACCEL says so"
    obstacle = _why_not_openable()
    if obstacle:
        return "tcg", obstacle
    memory = store.root() / "accel.json"
    key = " ".join((platform.node(), platform.release(), qemu.version()))
    try:
        remembered = json.loads(memory.read_text())
    except (OSError, ValueError):
        remembered = {}
    if key not in remembered:
        say(f"trying KVM with a small guest (at most {PROBE_SECONDS} s)")
        remembered = {key: _runs_a_guest(image)}
        memory.write_text(json.dumps(remembered))
    if remembered[key]:
        return "kvm", "a guest booted under it"
    return "tcg", "/dev/kvm opens, but a guest did not boot under it"
