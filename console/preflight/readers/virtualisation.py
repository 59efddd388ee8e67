"""libvirt's drivers and pools, file systems, LVM."""

from __future__ import annotations

import re

from ..frame import Sample, Section
from ..types import (
    Driver,
    Filesystem,
    Libvirt,
    Pool,
    Storage,
    ThinPool,
    VolumeGroup,
)
from .words import decimal, number

_LIBRARY = re.compile(r"Using library: libvirt ([\d.]{1,20})", re.ASCII)
_HYPERVISOR = re.compile(r"Running hypervisor: (.+)")
_TITLES = ["Name", "State", "Autostart", "Persistent", "Capacity", "Allocation", "Available"]
_LONGEST_ERROR = 500


def libvirt(sample: Sample) -> Libvirt:
    """What `virsh -c NAME:///system version` said; for qemu, the pools stand below it."""
    return Libvirt(
        drivers=tuple(
            _driver(name, section)
            for name in ("qemu", "lxc")
            if (section := sample[f"libvirt_{name}"]).code != 127
        ),
        pools=_pools(sample["libvirt_qemu"]),
    )


def _driver(name: str, section: Section) -> Driver:
    library, hypervisor = _LIBRARY.search(section.text), _HYPERVISOR.search(section.text)
    is_working: bool | None = hypervisor is not None
    error = ""
    if not is_working and section.has_timed_out:
        is_working = None
    elif not is_working:
        said = [line for line in section.lines if line.strip()]
        error = " ".join(said)[:_LONGEST_ERROR]
    return Driver(
        name=name,
        is_working=is_working,
        library=library[1] if library else "",
        hypervisor=hypervisor[1] if hypervisor else "",
        error=error,
    )


def _pools(section: Section) -> tuple[Pool, ...] | None:
    """The table of `virsh pool-list --all --details`: columns stand under their titles."""
    at = next((i for i, line in enumerate(section.lines) if line.split() == _TITLES), None)
    if section.code != 0 or at is None:
        return None
    edges = [match.start() for match in re.finditer(r"\S+", section.lines[at])]
    rows = (
        [line[start:end].strip() for start, end in zip(edges, [*edges[1:], None], strict=True)]
        for line in section.lines[at + 2 :]
        if line.strip()
    )
    return tuple(Pool(row[0], row[1], row[2], row[4], row[6]) for row in rows)


def storage(sample: Sample) -> Storage:
    kinds = (line.partition(" ") for line in sample["writable"].lines)
    return Storage(
        filesystems=_filesystems(sample["filesystems"]),
        volume_groups=tuple(_volume_groups(sample["volume_groups"])),
        thin_pools=tuple(_thin_pools(sample["thin_pools"])),
        writable={path: kind for kind, _, path in kinds if kind in ("yes", "no", "absent")},
    )


def _filesystems(section: Section) -> tuple[Filesystem, ...]:
    """`df -P -k`: six columns, of which the last may contain blanks."""
    found: dict[str, Filesystem] = {}
    for line in section.lines[1:]:
        parts = line.split(None, 5)
        if len(parts) == 6:
            size, free = number(parts[1]), number(parts[3])
            if size is not None and free is not None:
                found[parts[5]] = Filesystem(parts[5], parts[0], size * 1024, free * 1024)
    return tuple(found.values())


def _volume_groups(section: Section) -> list[VolumeGroup]:
    rows = (line.strip().split("|") for line in section.lines)
    return [
        VolumeGroup(row[0], size, free)
        for row in rows
        if len(row) == 3
        and (size := number(row[1])) is not None
        and (free := number(row[2])) is not None
    ]


def _thin_pools(section: Section) -> list[ThinPool]:
    rows = (line.strip().split("|") for line in section.lines)
    return [
        ThinPool(row[0], row[1], size, data, metadata)
        for row in rows
        if len(row) == 5
        and (size := number(row[2])) is not None
        and (data := decimal(row[3])) is not None
        and (metadata := decimal(row[4])) is not None
    ]
