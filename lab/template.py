"""A running rack, frozen: booted once, warmed, and saved so that every later start takes
seconds."""

from __future__ import annotations

import secrets
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import qemu, ssh, store, topology
from lab.errors import LabError
from lab.host import tool
from lab.progress import Heartbeat, say, timed
from lab.qmp import Monitor

BOOT_SECONDS = 300
#: Run on the hypervisor before the freeze: both libvirt drivers answer at once afterwards.
_WARM_HYPERVISOR = (
    "virsh -q -c qemu:///system list && virsh -q -c lxc:///system list"
    " && virsh -q -c qemu:///system capabilities >/dev/null && sync"
)


def directory(image: Path, shape: qemu.Shape) -> Path:
    """Where the template of this image, shape and QEMU is, or would be: a rack thaws only in the
    machine that it was frozen in, so the whole command line decides."""
    here = Path("/")
    words = qemu.command(shape, 0, here, memory_file=here, nodes_disk=here, frozen=False)
    return image / f"template-{store.digest(*(w.encode() for w in (qemu.version(), *words)))}"


def is_built(template: Path) -> bool:
    return (template / "password").exists()


def make_overlay(backing: Path, kind: str, out: Path) -> None:
    """A disk that holds only what differs from `backing`."""
    words = ("create", "-q", "-f", "qcow2", "-b", str(backing), "-F", kind, str(out))
    subprocess.run([tool("qemu-img"), *words], check=True)


def doors(instance: int) -> dict[str, tuple[str, int]]:
    """Machine name to the address and port of its sshd."""
    return {m.name: ("127.0.0.1", topology.port_of(instance, m.octet)) for m in topology.MACHINES}


def write_known_hosts(image: Path, instance: int, out: Path) -> None:
    lines = [
        ssh.known_hosts_line(address, port, host_key(image, name))
        for name, (address, port) in doors(instance).items()
    ]
    out.write_text("".join(lines))


def host_key(image: Path, name: str) -> str:
    """A machine's public host key, as "TYPE BASE64"."""
    words = (image / "hostkeys" / f"{name}.pub").read_text().split()
    return f"{words[0]} {words[1]}"


class _Warmer:
    """Runs commands on the machines of the template while it is made."""

    def __init__(self, image: Path, instance: int, partial: Path) -> None:
        self._image = image
        self._doors = doors(instance)
        self._known_hosts = partial / "known_hosts"
        write_known_hosts(image, instance, self._known_hosts)

    def run(self, name: str, script: str, given: str = "") -> subprocess.CompletedProcess[str]:
        key = self._image / "key"
        words = ssh.command(*self._doors[name], "root", key, self._known_hosts)
        return subprocess.run(
            [*words, script], input=given, capture_output=True, text=True, timeout=BOOT_SECONDS
        )

    def check(self, name: str, script: str, given: str = "") -> None:
        answer = self.run(name, script, given)
        if answer.returncode != 0:
            raise LabError(f"{name}: {script}: {answer.stdout}{answer.stderr}".strip())

    def failed_units(self, name: str) -> str:
        """The units of a machine that failed, empty when all is well."""
        answer = self.run(name, "systemctl list-units --failed --plain --no-legend")
        return " ".join(line.split()[0] for line in answer.stdout.splitlines() if line.strip())


def _warm(warmer: _Warmer, password: str, beat: Heartbeat) -> None:
    names = topology.names()
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        failed = dict(zip(names, pool.map(warmer.failed_units, names), strict=True))
    broken = [f"{name}: {units}" for name, units in failed.items() if units]
    if broken:
        raise LabError(f"units failed in the rack: {'; '.join(broken)}")
    beat.step("making the template: warming libvirt")
    warmer.check("hv1", _WARM_HYPERVISOR)
    warmer.check(topology.PASSWORD_MACHINE, "chpasswd", f"{topology.USER}:{password}\n")


def _freeze(partial: Path, beat: Heartbeat) -> None:
    beat.step("making the template: freezing it")
    with Monitor(partial / "qmp.sock", timeout=120) as monitor:
        monitor.ignore_shared_memory()
        monitor.execute("stop")
        monitor.execute("migrate", uri=f"exec:cat > {shlex.quote(str(partial / 'state'))}")
        status = monitor.wait_until("query-migrate", ("completed", "failed"), timeout=120)
        if status == "failed":
            raise LabError("QEMU could not save the rack's state")
        monitor.execute("quit")


def build(image: Path, shape: qemu.Shape, instance: int) -> Path:
    """The template's directory; boots, warms and freezes a rack unless it is there. Uses the
    ports of `instance`, which must be down and locked by the caller."""
    target = directory(image, shape)
    if is_built(target):
        return target
    with store.locked("template", "it is making the template"):
        if is_built(target):
            return target
        partial = target.with_suffix(".partial")
        qemu.stop(partial)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        with timed("making the template") as beat:
            try:
                password = _boot_and_freeze(image, shape, instance, partial, beat)
            finally:
                qemu.stop(partial)
        (partial / "password").write_text(password)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    return target


def _boot_and_freeze(
    image: Path, shape: qemu.Shape, instance: int, partial: Path, beat: Heartbeat
) -> str:
    disk = partial / "nodes.qcow2"
    make_overlay(image / "nodes.raw", "raw", disk)
    arguments = qemu.command(
        shape, instance, image, memory_file=partial / "ram", nodes_disk=disk, frozen=False
    )
    beat.step(f"making the template: booting the rack ({shape.accel})")
    qemu.spawn(arguments, partial, dies_with_parent=True)
    taken = qemu.wait_for_mark(partial, timeout=BOOT_SECONDS)
    say(f"every machine has booted, {taken:.0f} s after power-on")
    ssh.wait_for(doors(instance), timeout=BOOT_SECONDS)
    password = secrets.token_urlsafe(12)
    _warm(_Warmer(image, instance, partial), password, beat)
    _freeze(partial, beat)
    return password
