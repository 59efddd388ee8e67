"""System, distribution, identity, clock, tools, systemd, hardware."""

from __future__ import annotations

import re

from ..frame import Sample, Section
from ..types import (
    Cgroup,
    Clock,
    Distribution,
    Hardware,
    Identity,
    Init,
    Security,
    Tool,
    Unit,
)
from .words import number, version

_CLOCK = re.compile(r"(\d{1,11}) (\d{9})?.*", re.ASCII)
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)
_ID = re.compile(r"uid=(\d{1,10})(?:\(([^)]*)\))?.*", re.ASCII)
_TOOL = re.compile(r"(in|out) ([a-z0-9-]+) (.+)")


def distribution(section: Section) -> Distribution:
    """os-release(5); without ID the distribution is "linux", as that page says."""
    values = {name: value.strip("\"'") for name, value in section.values().items()}
    return Distribution(
        id=values.get("ID", "linux").lower(),
        like=tuple(values.get("ID_LIKE", "").lower().split()),
        version=values.get("VERSION_ID", ""),
        name=values.get("PRETTY_NAME") or values.get("NAME", ""),
    )


def identity(values: dict[str, str]) -> Identity:
    """The answer of id(1): "uid=0(root) gid=…"."""
    found = _ID.fullmatch(values.get("id", ""))
    return Identity(
        uid=int(found[1]) if found else None,
        user=(found[2] or "") if found else "",
        sudo_user=values.get("sudo_user", ""),
    )


def security(values: dict[str, str]) -> Security:
    selinux = {"1": "enforcing", "0": "permissive"}.get(values.get("selinux", ""), "off")
    return Security(selinux=selinux, has_apparmor=values.get("apparmor", "") == "Y")


def clock(sample: Sample) -> Clock:
    """The two readings of `date '+%s %N'`; a date(1) without %N counts whole seconds."""
    readings = [_CLOCK.fullmatch(sample[name].text) for name in ("clock_started", "clock_ended")]
    is_fine = all(reading is not None and reading[2] for reading in readings)
    times = [
        int(reading[1]) + (int(reading[2]) / 1e9 if is_fine else 0.0) if reading else None
        for reading in readings
    ]
    return Clock(started=times[0], ended=times[1], resolution=0.0 if is_fine else 1.0)


def tools(sample: Sample) -> tuple[Tool, ...]:
    found = [match for line in sample["tools"].lines if (match := _TOOL.fullmatch(line))]
    return tuple(
        Tool(
            name=match[2],
            path=match[3],
            is_on_path=match[1] == "in",
            version=version(_version_lines(sample, match[2])),
        )
        for match in found
    )


def _version_lines(sample: Sample, name: str) -> tuple[str, ...]:
    section = sample.get(f"version_{name}")
    return section.lines if section and section.code == 0 else ()


def init(sample: Sample, values: dict[str, str]) -> Init:
    state = next((line for line in sample["system_state"].lines if line), "")
    return Init(
        is_systemd=values.get("init", "") == "systemd", state=state, units=_units(sample["units"])
    )


def _units(section: Section) -> tuple[Unit, ...]:
    """`systemctl show -p …` of several units: blocks of NAME=VALUE between empty lines. A
    unit that is not there has LoadState=not-found and is left out."""
    blocks: list[dict[str, str]] = [{}]
    for line in section.lines:
        name, mark, value = line.partition("=")
        if mark:
            blocks[-1][name] = value
        elif not line:
            blocks.append({})
    return tuple(
        Unit(
            name=block["Id"],
            load=block.get("LoadState", ""),
            active=block.get("ActiveState", ""),
            enabled=block.get("UnitFileState", ""),
        )
        for block in blocks
        if "Id" in block and block.get("LoadState") != "not-found"
    )


def hardware(section: Section) -> Hardware:
    """Lines of our own (NAME=VALUE), of /proc/cpuinfo and of /proc/meminfo (NAME: VALUE)."""
    values = section.values()
    pairs = (line.partition(":") for line in section.lines)
    files = {name.strip(): value.strip() for name, mark, value in pairs if mark}
    flags = set(files.get("flags", "").split())
    nested = values.get("nested", "")
    return Hardware(
        cpus=_cpus(values.get("cpus", "")),
        model=files.get("model name", ""),
        flag=next((flag for flag in ("vmx", "svm") if flag in flags), ""),
        memory=_kilobytes(files.get("MemTotal", "")),
        memory_available=_kilobytes(files.get("MemAvailable", "")),
        swap=_kilobytes(files.get("SwapTotal", "")),
        kvm=values["kvm"] if values.get("kvm") in ("usable", "refused") else "absent",
        is_nested=nested in ("Y", "y", "1") if nested else None,
    )


def _cpus(text: str) -> int | None:
    """How many processors a list such as "0-3,6" names; None when it is none."""
    total = 0
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            return None
        total += max(int(found[2] or found[1]) - int(found[1]) + 1, 0)
    return total


def _kilobytes(text: str) -> int | None:
    value = number(text.removesuffix(" kB"))
    return None if value is None else value * 1024


def cgroup(section: Section) -> Cgroup:
    """From the mounts (cgroups(7)): version 2 alone, version 1, or both ("hybrid": limits are
    kept by version 1)."""
    legacy: set[str] = set()
    kinds: set[str] = set()
    for line in section.lines:
        parts = line.split()
        if len(parts) >= 4 and parts[2] in ("cgroup", "cgroup2"):
            kinds.add(parts[2])
            if parts[2] == "cgroup":
                legacy.update(parts[3].split(","))
    if kinds == {"cgroup2"}:
        return Cgroup("2", tuple(sorted(section.values().get("controllers", "").split())))
    names = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
    found = tuple(sorted(name for name in names if name in legacy))
    return Cgroup({0: "none", 1: "1"}.get(len(kinds), "hybrid"), found)
