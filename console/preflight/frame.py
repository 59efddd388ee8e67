"""The frame of a sample: marks, sections, exit codes. See the head of probe.sh."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import IncompleteSample, ParseError

VERSION = 1
#: Far more than the probe's own bounds add up to.
LONGEST_SAMPLE = 8 * 1024 * 1024

_BEGIN = f"@@ begin {VERSION}"
_NAME = re.compile(r"@@ ([a-z0-9_-]{1,40})")
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


class Sample:
    """The sections of a complete sample; one that it lacks reads as a command that is
    not there."""

    def __init__(self, sections: dict[str, Section]) -> None:
        self._sections = sections

    def __getitem__(self, name: str) -> Section:
        return self._sections.get(name, _NOTHING)


_NOTHING = Section((), 127)


def storable(text: str) -> str:
    """The text with what cannot be stored replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def split(text: str) -> Sample:
    """Take a sample apart.

    Raises IncompleteSample when it has no end mark or fewer sections than the
    mark says; ParseError when it is something else than a sample.
    """
    if len(text) > LONGEST_SAMPLE:
        raise ParseError(f"a sample has at most {LONGEST_SAMPLE} characters, this has {len(text)}")
    lines = [line.removesuffix("\r") for line in storable(text).split("\n")]
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
    if len(sections) != int(ended[1]):
        raise IncompleteSample(f"{len(sections)} sections instead of {int(ended[1])}")
    return Sample(sections)


def _sections(lines: list[str]) -> dict[str, Section]:
    sections: dict[str, Section] = {}
    name, body = "", []
    for line in lines:
        if line.startswith(" "):
            if not name:
                raise ParseError(f"text outside of a section: {_quoted(line)}")
            body.append(line[1:])
        elif name and (code := _CODE.fullmatch(line)):
            sections[name] = Section(tuple(body), int(code[1]))
            name, body = "", []
        elif not name and (opened := _NAME.fullmatch(line)):
            name = opened[1]
            if name in sections:
                raise ParseError(f"section {name!r} comes twice")
        elif line:
            raise ParseError(f"unexpected line: {_quoted(line)}")
    if name:
        raise IncompleteSample(f"section {name!r} has no end")
    return sections


def _quoted(line: str) -> str:
    return repr(line if len(line) <= 120 else line[:117] + "...")
