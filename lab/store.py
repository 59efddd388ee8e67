"""Where the lab keeps its files, and who may write them.

ROOT = $EVENKEEL_LAB_DIR, else ${XDG_CACHE_HOME:-~/.cache}/evenkeel-lab
ROOT/packages-HASH.tar      the unpacked Debian packages
ROOT/IMAGE/                 one built image; IMAGE is a hash of the recipe
ROOT/IMAGE/template-HASH/   a running rack, frozen; HASH covers what must match to thaw it
ROOT/instance-N/            rack N: its disk, process id, sockets and logs
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.progress import Heartbeat

SOURCE = Path(__file__).parent
#: Files that decide what the image contains; a change to any of them makes another image.
RECIPE = ("assemble.py", "topology.py", "packages.txt")


def root() -> Path:
    chosen = os.environ.get("EVENKEEL_LAB_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "evenkeel-lab"


def digest(*parts: bytes) -> str:
    """Sixteen hexadecimal digits that change when any part does."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()[:16]


def guest_packages() -> list[str]:
    """The packages of the rack's machines, from `packages.txt`."""
    lines = (SOURCE / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def packages_hash() -> str:
    return digest(platform.machine().encode(), *(p.encode() for p in guest_packages()))


def image_hash() -> str:
    files = [SOURCE / name for name in RECIPE]
    files += sorted(p for p in (SOURCE / "guest").iterdir() if p.is_file())
    parts = [platform.machine().encode()]
    for file in files:
        parts += [file.name.encode(), file.read_bytes()]
    return digest(*parts)


def image_dir() -> Path:
    return root() / image_hash()


def packages_tar() -> Path:
    return root() / f"packages-{packages_hash()}.tar"


def images() -> list[Path]:
    """The built images, the one used last first."""
    found = [p for p in root().iterdir() if re.fullmatch(r"[0-9a-f]{16}", p.name)]
    return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)


def superfluous(recent: list[Path], running: set[Path]) -> list[Path]:
    """Of the images, the one used last first, those to remove: neither running nor one of the
    two used last."""
    return [path for path in recent[2:] if path not in running]


def instance_dir(instance: int) -> Path:
    return root() / f"instance-{instance}"


@contextmanager
def locked(name: str, waiting_for: str) -> Iterator[None]:
    """Hold ROOT/NAME.lock; say what is waited for when another process has it."""
    root().mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root() / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Heartbeat(f"waiting for another process: {waiting_for}"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
