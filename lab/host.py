"""What the lab needs from the machine that it runs on, and what is missing there."""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

#: Debian packages, and the command that shows that each is there.
COMMANDS: dict[str, tuple[str, ...]] = {
    "cpio": ("cpio",),
    "debian-archive-keyring": (),
    "e2fsprogs": ("mkfs.ext4",),
    "fakeroot": ("fakeroot",),
    "mmdebstrap": ("mmdebstrap",),
    "openssh-client": ("ssh", "ssh-keygen"),
    "qemu-system-x86": ("qemu-system-x86_64",),
    "qemu-utils": ("qemu-img",),
    "tar": ("tar",),
    "uidmap": ("newuidmap", "newgidmap"),
}
#: What only an unprivileged user needs.
ROOTLESS_PACKAGES = ("fakeroot", "uidmap")
#: What a rack already built needs to run.
RUN_PACKAGES = ("openssh-client", "qemu-system-x86", "qemu-utils")

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
#: Bytes on disk: the packages' tar file, the image, and one template with its memory.
NEEDED_DISK = 5 * 1024**3


def packages() -> tuple[str, ...]:
    """The Debian packages that the lab needs on this machine."""
    return tuple(COMMANDS)


def is_root() -> bool:
    return os.geteuid() == 0


def find_tool(name: str) -> str | None:
    return shutil.which(name, path=SEARCH)


def tool(name: str) -> str:
    """The path of a command; LabError names the package that brings it."""
    found = find_tool(name)
    if found is None:
        package = next((p for p, commands in COMMANDS.items() if name in commands), name)
        raise LabError(f"{name} is not installed: {install_line([package])}")
    return found


def install_line(names: list[str] | tuple[str, ...]) -> str:
    sudo = "" if is_root() else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {' '.join(names)}"


def missing_packages(wanted: tuple[str, ...] | None = None) -> list[str]:
    """Of `wanted` (default: all that this user needs), the packages that are not there."""
    if wanted is None:
        wanted = tuple(p for p in COMMANDS if not (is_root() and p in ROOTLESS_PACKAGES))
    missing = [p for p in wanted if any(find_tool(c) is None for c in COMMANDS[p])]
    if "debian-archive-keyring" in wanted and not KEYRING.exists():
        missing.append("debian-archive-keyring")
    return missing


@dataclass(frozen=True, slots=True)
class Problem:
    """Something missing on this machine, and the command or act that mends it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n    → {self.remedy}"


def has_id_range(table: Path, user: str, uid: int) -> bool:
    """Whether /etc/subuid or /etc/subgid gives the user at least 65536 ids (subuid(5))."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        fields = line.strip().split(":")
        is_mine = len(fields) == 3 and fields[0] in (user, str(uid))
        if is_mine and fields[2].isdigit() and int(fields[2]) >= 65536:
            return True
    return False


def _rootless_problems() -> list[Problem]:
    found = []
    user = getpass.getuser()
    tables = (Path("/etc/subuid"), Path("/etc/subgid"))
    if not all(has_id_range(table, user, os.getuid()) for table in tables):
        found.append(
            Problem(
                f"{user} has no range of subordinate ids in /etc/subuid and /etc/subgid,"
                " so a Debian tree cannot be built without root",
                f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )
        )
    for path in ("kernel/unprivileged_userns_clone", "user/max_user_namespaces"):
        switch = Path("/proc/sys") / path
        if switch.exists() and switch.read_text().strip() == "0":
            value = "1" if "clone" in path else "15000"
            found.append(
                Problem(
                    f"unprivileged user namespaces are off ({switch} is 0)",
                    f"sudo sysctl -w {path.replace('/', '.')}={value}",
                )
            )
    return found


def _existing_parent(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def problems(directory: Path, *, is_built: bool) -> list[Problem]:
    """Everything that would stop `up` on this machine; empty when it can run.

    `directory` is where the lab keeps its files; `is_built` says that the image
    is already there, so that only what runs it is needed.
    """
    found = []
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        found.append(
            Problem(
                f"the rack is built for x86_64 Linux; this is {platform.system()}"
                f" on {platform.machine()}",
                "use an x86_64 Linux machine; one without KVM will do",
            )
        )
    missing = missing_packages(RUN_PACKAGES if is_built else None)
    if missing:
        found.append(Problem(f"not installed: {', '.join(missing)}", install_line(missing)))
    if not is_built:
        if not is_root():
            found += _rootless_problems()
        free = shutil.disk_usage(_existing_parent(directory)).free
        if free < NEEDED_DISK:
            found.append(
                Problem(
                    f"{free / 1024**3:.1f} GiB free for {directory}, {NEEDED_DISK / 1024**3:.0f}"
                    " GiB needed",
                    "make room, or set EVENKEEL_LAB_DIR to a directory on another disk",
                )
            )
    return found


def is_port_free(port: int) -> bool:
    """Whether 127.0.0.1:PORT can be bound now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
