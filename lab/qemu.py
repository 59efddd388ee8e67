"""Starts and stops the QEMU process of one rack."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab import topology
from lab.errors import LabError
from lab.host import tool
from lab.qmp import Monitor

KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet mitigations=off cryptomgr.notests tsc=reliable audit=0 psi=1 panic=5"
)
#: What `rack-ready.service` writes once every machine of the rack has booted.
READY_MARK = b"RACK-READY"
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Shape:
    """What must be equal for a frozen rack to thaw: accelerator, memory in MiB, processors."""

    accel: str
    memory: int
    cpus: int

    def accel_arguments(self) -> list[str]:
        if self.accel == "kvm":
            return ["-accel", "kvm", "-cpu", "host"]
        # Page tables of four levels: the fifth costs a fifth of the speed under emulation.
        return ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"]


def chosen_memory() -> int:
    """MiB, from EVENKEEL_LAB_MEMORY; 3072 unless told."""
    text = os.environ.get("EVENKEEL_LAB_MEMORY", "3072")
    if not text.isdigit() or int(text) < 1024:
        raise LabError(
            f"EVENKEEL_LAB_MEMORY is {text!r}: a number of MiB, at least 1024, is needed"
        )
    return int(text)


def chosen_cpus() -> int:
    return min(2, os.cpu_count() or 1)


def version() -> str:
    """The first line of `qemu-system-x86_64 --version`."""
    command = [tool("qemu-system-x86_64"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[0]


def network_argument(instance: int) -> str:
    """User networking: our ports on 127.0.0.1 lead in, nothing leads out."""
    forwards = (
        f"hostfwd=tcp:127.0.0.1:{topology.port_of(instance, m.octet)}-{m.mgmt}:22"
        for m in topology.MACHINES
    )
    return ",".join(("user", "id=net0", "restrict=on", "ipv6=off", *forwards))


def command(
    shape: Shape, instance: int, image: Path, *, memory_file: Path, nodes_disk: Path, frozen: bool
) -> list[str]:
    """QEMU's command line. `frozen`: memory is a private copy of a template's file, and the
    machine waits for its state; otherwise the memory file is written, and the machine boots."""
    share = "off" if frozen else "on"
    arguments = [
        tool("qemu-system-x86_64"),
        *shape.accel_arguments(),
        *("-machine", "q35,memory-backend=ram0"),
        *("-m", str(shape.memory), "-smp", str(shape.cpus)),
        *("-display", "none", "-monitor", "none", "-nodefaults"),
        "-object",
        f"memory-backend-file,id=ram0,size={shape.memory}M,mem-path={_escaped(memory_file)}"
        f",share={share}",
        *("-device", "virtio-rng-pci"),
        *("-netdev", network_argument(instance)),
        *("-device", "virtio-net-pci,netdev=net0,romfile="),
        "-drive",
        f"file={_escaped(image / 'base.raw')},if=none,id=base,format=raw,readonly=on",
        *("-device", "virtio-blk-pci,drive=base"),
        "-drive",
        f"file={_escaped(nodes_disk)},if=none,id=nodes,format=qcow2,discard=unmap",
        *("-device", "virtio-blk-pci,drive=nodes"),
        *("-serial", "file:console.log"),
        *("-qmp", "unix:qmp.sock,server=on,wait=off"),
        *("-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")),
        *("-append", KERNEL_ARGUMENTS),
    ]
    return [*arguments, "-incoming", "defer"] if frozen else arguments


def _escaped(path: Path) -> str:
    """A path inside a QEMU option, where a comma is written twice."""
    return str(path).replace(",", ",,")


_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """In a child before exec: be killed when the thread that started it ends (prctl(2))."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def stop_with_parent() -> None:
    """As `die_with_parent`, for a child that has something to put away first."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(arguments: list[str], directory: Path, *, dies_with_parent: bool) -> int:
    """Start QEMU in `directory`, apart from this terminal; returns once it answers QMP."""
    (directory / "qmp.sock").unlink(missing_ok=True)
    (directory / "command.txt").write_text(f"{shlex.join(arguments)}\n")
    with (directory / "qemu.log").open("wb") as log:
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent if dies_with_parent else None,
        )
    (directory / "qemu.pid").write_text(f"{process.pid}\n")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (directory / "qemu.log").read_text(errors="replace").strip()
            raise LabError(f"QEMU ended at once (exit code {process.returncode}): {said}")
        try:
            Monitor(directory / "qmp.sock").close()
        except (OSError, ValueError):
            time.sleep(0.02)
        else:
            return process.pid
    stop(directory)
    raise LabError(f"QEMU does not answer; see {directory / 'qemu.log'}")


def wait_for_mark(directory: Path, *, timeout: float) -> float:
    """Seconds until the booting rack writes READY_MARK on its console. Knocking on its doors
    instead would leave it hundreds of half-open connections to answer while it boots."""
    began = time.monotonic()
    console = directory / "console.log"
    while READY_MARK not in (console.read_bytes() if console.exists() else b""):
        if running_pid(directory) is None:
            said = (directory / "qemu.log").read_text(errors="replace").strip()
            raise LabError(f"QEMU ended while the rack booted: {said or 'it said nothing'}")
        if time.monotonic() - began > timeout:
            tail = console.read_text(errors="replace")[-1500:]
            raise LabError(f"the rack has not booted within {timeout:.0f} s; its console:\n{tail}")
        time.sleep(0.2)
    return time.monotonic() - began


def running_pid(directory: Path) -> int | None:
    """The rack's QEMU process, or None. A stale pid file, or one whose number another program
    has now, counts as none."""
    try:
        pid = int((directory / "qemu.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        where = Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except (OSError, ValueError):
        return None
    is_qemu = words[0].endswith(b"qemu-system-x86_64")
    return pid if is_qemu and where == directory.resolve() else None


def stop(directory: Path) -> bool:
    """End the rack's QEMU process; whether there was one. Its disk is thrown away anyway, so it
    is not asked to shut down."""
    pid = running_pid(directory)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        while running_pid(directory) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)
    for name in ("qemu.pid", "qmp.sock"):
        (directory / name).unlink(missing_ok=True)
    return pid is not None
