"""The frame of a sample: marks, sections, exit codes. See the head of probe.sh."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import IncompleteSample, ParseError

VERSION = 2
#: Every section, in the order in which the probe prints them. A text inside a section that
#: looks like a mark makes the order wrong, so nothing can be slipped in.
SECTIONS: tuple[str, ...] = (
    *("clock_started", "system", "distribution", "virtualization", "system_state", "units"),
    *("tools", "version_ipvsadm", "version_keepalived", "version_nft", "version_iptables"),
    *("version_qemu-img", "version_python3", "loaded", "builtin_modules", "module_files"),
    *("redirected", "dry_run", "kernel_options", "ipvs", "writers", "at_boot", "sysctls"),
    *("hardware", "cgroups", "filesystems", "writable", "addresses", "routes", "routes6"),
    *("bridges", "libvirt_qemu", "libvirt_lxc", "volume_groups", "thin_pools", "clock_ended"),
)
#: The probe prints at most 4,000,000 bytes.
LONGEST_SAMPLE = 4 * 1024 * 1024

_BEGIN = f"@@ begin {VERSION}"
_CODE = re.compile(r"@@ rc (\d{1,3})", re.ASCII)
_END = re.compile(r"@@ end (\d{1,4})", re.ASCII)
#: What no database stores as JSON text: NUL and lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Section:
    """What one command said, and its exit code (127: there is no such command)."""

    lines: tuple[str, ...]
    code: int

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def has_timed_out(self) -> bool:
        """timeout(1) exits with 124, or with 137 when it had to kill; busybox's with 143."""
        return self.code in (124, 137, 143)

    def values(self) -> dict[str, str]:
        """The lines `name=value`; other lines are left out, a later one wins."""
        pairs = (line.partition("=") for line in self.lines)
        return {name: value for name, mark, value in pairs if mark}


#: The sections of a complete sample by name.
Sample = dict[str, Section]


def storable(text: str) -> str:
    """The text with what cannot be stored replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def split(text: str) -> Sample:
    """Take a sample apart: all of SECTIONS by name.

    Raises IncompleteSample when its end mark is missing; ParseError when it is
    something else than a sample of this version of the probe.
    """
    if len(text) > LONGEST_SAMPLE:
        raise ParseError(f"a sample has at most {LONGEST_SAMPLE} characters, this has {len(text)}")
    lines = storable(text).split("\n")
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise IncompleteSample("the sample is empty")
    if lines[0] != _BEGIN:
        raise ParseError(f"expected {_BEGIN!r}, found {_quoted(lines[0])}")
    ended = _END.fullmatch(lines[-1])
    if ended is None:
        raise IncompleteSample(f"the end mark is missing, the last line is {_quoted(lines[-1])}")
    sections = _sections(lines[1:-1])
    if int(ended[1]) != len(SECTIONS):
        raise ParseError(f"{int(ended[1])} sections instead of {len(SECTIONS)}")
    return sections


def _sections(lines: list[str]) -> Sample:
    """The lines between begin and end mark, as sections in their order."""
    sections: Sample = {}
    position = 0
    for name in SECTIONS:
        if position >= len(lines) or lines[position] != f"@@ {name}":
            found = lines[position] if position < len(lines) else ""
            raise ParseError(f"expected section {name!r}, found {_quoted(found)}")
        end = next((at for at in range(position, len(lines)) if _CODE.fullmatch(lines[at])), None)
        code = None if end is None else _CODE.fullmatch(lines[end])
        if end is None or code is None:
            raise IncompleteSample(f"section {name!r} has no end")
        body = lines[position + 1 : end]
        if body and not body[-1]:
            body.pop()  # the empty line that stands before each code
        sections[name] = Section(tuple(body), int(code[1]))
        position = end + 1
    if position != len(lines):
        raise ParseError(f"unexpected line after the last section: {_quoted(lines[position])}")
    return sections


def _quoted(line: str) -> str:
    return repr(line if len(line) <= 120 else line[:117] + "...")
