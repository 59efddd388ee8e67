"""From files to lines of words: comments, quotes, conditions, definitions, sequences, includes.

Lines are expanded as keepalived.conf(5) says under "ADVANCED CONFIGURATION". Nothing is run
and nothing is opened: files that are included are those that were read before, by their path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple

from console.planning import mark as _
from lvs.keepalived.errors import ConfigurationError

#: Characters of all files together, and of what they expand to.
MAX_SIZE = 10 * 1024 * 1024
#: Definitions within definitions, and files within files.
MAX_DEPTH = 32

_SPECIAL = re.compile(r"[\"'\\#!$@~{}]")
_DEFINITION = re.compile(r"\s*\$([A-Za-z_]\w*)=(.*)", re.DOTALL)
_USE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)(?=\s|$))")
_INCLUDE = re.compile(r"\s*include[a-z]?\s+(\S.*)")
_BLOCK = re.compile(r"\s*~(SEQx?|LST)\(([^)]*)\)\s*(.*)", re.DOTALL)
_PREDEFINED = {"_HASH": "#", "_BANG": "!"}


class Brace(str):
    """A bare brace, which begins or ends a block; a quoted one is a plain word."""

    __slots__ = ()


class Line(NamedTuple):
    """The words of one line, and where it stands. `comment` is the text of a line that is
    only a comment, then without words."""

    words: tuple[str, ...]
    number: int
    file: str
    comment: str = ""


@dataclass
class Reader:
    """Expands files into lines, and remembers what stays open.

    `config_id` decides lines that begin with @; None when it is not known. `files` are the
    texts that may be included, by path.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    config_id: str | None = None
    not_read: list[tuple[str, str, int]] = field(default_factory=list)
    undecided: list[tuple[str, int]] = field(default_factory=list)
    _defined: dict[str, list[str]] = field(default_factory=dict)
    _budget: int = MAX_SIZE

    def lines(self, text: str, file: str = "", depth: int = 0) -> Iterator[Line]:
        """The lines of a text. Raises ConfigurationError."""
        check_text(text, file)
        if depth > MAX_DEPTH:
            raise ConfigurationError(
                _("%(file)s: files include each other more than %(depth)s deep"),
                file=file,
                depth=MAX_DEPTH,
            )
        numbered = enumerate(text.split("\n"), 1)
        for number, raw in numbered:
            self._spend(len(raw) + 1, number, file)
            code, comment = cut_comment(raw)
            if not code.strip():
                if comment:
                    yield Line((), number, file, comment)
                continue
            while code.endswith("\\"):
                following = next(numbered, None)
                if following is None:
                    break
                self._spend(len(following[1]) + 1, number, file)
                code = f"{code[:-1]}\n{cut_comment(following[1])[0]}"
            include = _INCLUDE.match(code)
            if include and "\n" not in code:
                yield from self._included(include[1].strip(), number, file, depth)
            else:
                yield from self._expanded(code, number, file, 0)

    def _included(self, pattern: str, number: int, file: str, depth: int) -> Iterator[Line]:
        wanted = PurePosixPath(file or "/etc/keepalived/keepalived.conf").parent / pattern.strip(
            "\"'"
        )
        found = [
            path
            for path in sorted(self.files)
            if len(PurePosixPath(path).parts) == len(wanted.parts)
            and fnmatchcase(path, str(wanted))
        ]
        if not found:
            self.not_read.append((pattern, file, number))
        for path in found:
            yield from self.lines(self.files[path], path, depth + 1)

    def _expanded(self, code: str, number: int, file: str, depth: int) -> Iterator[Line]:
        """One line, or the many that definitions and sequences make of it."""
        if depth > MAX_DEPTH:
            raise ConfigurationError(
                _("%(file)s, line %(line)s: definitions lie more than %(depth)s deep"),
                line=number,
                file=file,
                depth=MAX_DEPTH,
            )
        self._spend(len(code) if depth else 0, number, file)
        if not _SPECIAL.search(code) and "\n" not in code:
            yield Line(tuple(code.split()), number, file)
            return
        kept = self._condition(code.lstrip(), number, file)
        if kept is None:
            return
        if definition := _DEFINITION.fullmatch(kept):
            self._defined[definition[1]] = definition[2].split("\n")
            return
        if block := _BLOCK.match(kept):
            for rest in self._repeated(block, number, file):
                yield from self._expanded(rest, number, file, depth + 1)
            return
        kept = kept.replace("\n", " ")
        filled = self._filled(kept, number, file)
        if filled != kept:
            for one in filled.split("\n"):
                if one.strip():
                    yield from self._expanded(one, number, file, depth + 1)
            return
        yield Line(split_words(filled, number, file), number, file)

    def _condition(self, code: str, number: int, file: str) -> str | None:
        """The line without its condition, or None when it does not hold."""
        if not code.startswith("@"):
            return code
        name, _space, rest = code[1:].partition(" ")
        if self.config_id is None:
            self.undecided.append((file, number))
        is_named = name.removeprefix("^") == self.config_id
        return rest.lstrip() if is_named != name.startswith("^") else None

    def _filled(self, code: str, number: int, file: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name in self._defined:
                return "\n".join(self._defined[name])
            if name == "_PWD":
                return str(PurePosixPath(file).parent)
            if name == "_INSTANCE" and self.config_id:
                return self.config_id
            return match[0]

        filled = _USE.sub(value, code)
        self._spend(max(0, len(filled) - len(code)), number, file)
        return filled

    def _repeated(self, block: re.Match[str], number: int, file: str) -> Iterator[str]:
        kind, inside, rest = block.groups()
        try:
            names, values = _list(inside) if kind == "LST" else _sequence(inside, kind == "SEQx")
        except ValueError:
            raise ConfigurationError(
                _("%(file)s, line %(line)s: ~%(kind)s(%(inside)s) is not understood"),
                line=number,
                file=file,
                kind=kind,
                inside=inside[:100],
            ) from None
        for row in values:
            for name, one in zip(names, row, strict=False):
                self._defined[name] = [one]
            yield rest

    def _spend(self, size: int, number: int, file: str) -> None:
        self._budget -= size
        if self._budget < 0:
            raise ConfigurationError(
                _("%(file)s, line %(line)s: the configuration is larger than %(size)s MB"),
                line=number,
                file=file,
                size=MAX_SIZE // 1024 // 1024,
            )


def check_text(text: str, file: str = "") -> None:
    """Refuse what is not text. Raises ConfigurationError."""
    odd = sum(text.count(char) for char in ("\0", "\ufffd"))
    if "\0" in text or odd * 20 > max(len(text), 20):
        raise ConfigurationError(_("%(file)s is not a text file"), file=file)


def cut_comment(raw: str) -> tuple[str, str]:
    """A line without its comment, and the comment; neither has blanks around it. Comments
    begin with # or ! anywhere outside quotes."""
    if "#" not in raw and "!" not in raw:
        return raw.strip(), ""
    quote, position = "", 0
    while position < len(raw):
        char = raw[position]
        if char == "\\":
            position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and raw.find(char, position + 1) > 0:
            quote = char
        elif char in "#!":
            return raw[:position].strip(), raw[position:].strip("#! \t\r")
        position += 1
    return raw.strip(), ""


def split_words(code: str, number: int = 0, file: str = "") -> tuple[str, ...]:
    """The words of a line without comment. Quotes keep blanks together and go away; a brace
    counts as one only where it stands bare."""
    words: list[str] = []
    position, length = 0, len(code)
    while position < length:
        char = code[position]
        if char.isspace():
            position += 1
        elif char == "}" or (char == "{" and _ends_word(code, position + 1)):
            words.append(Brace(char))
            position += 1
        else:
            word, position = _word(code, position, number, file)
            words.append(word)
    return tuple(words)


def _word(code: str, position: int, number: int, file: str) -> tuple[str, int]:
    parts: list[str] = []
    while position < len(code) and not code[position].isspace():
        char = code[position]
        if char in "\"'":
            end = _closing(code, position)
            if end < 0 and char == "'":
                parts.append(char)
                position += 1
                continue
            if end < 0:
                raise ConfigurationError(
                    _("%(file)s, line %(line)s: a quote is not closed"), line=number, file=file
                )
            parts.append(re.sub(r"\\([\"'\\])", r"\1", code[position + 1 : end]))
            position = end + 1
        elif char == "\\" and position + 1 < len(code):
            parts.append(code[position + 1])
            position += 2
        elif code.startswith("${", position) and "}" in code[position:]:
            end = code.index("}", position) + 1
            name = code[position + 2 : end - 1]
            parts.append(_PREDEFINED.get(name, code[position:end]))
            position = end
        elif char == "{" and _ends_word(code, position + 1):
            break
        else:
            parts.append(char)
            position += 1
    return "".join(parts), position


def _closing(code: str, position: int) -> int:
    quote, position = code[position], position + 1
    while position < len(code):
        if code[position] == "\\":
            position += 1
        elif code[position] == quote:
            return position
        position += 1
    return -1


def _ends_word(code: str, position: int) -> bool:
    return position >= len(code) or code[position].isspace()


Table = tuple[list[str], list[list[str]]]


def _sequence(inside: str, is_hex: bool) -> Table:
    """~SEQ(var, start, step, end), with start and step optional."""
    name, *rest = (part.strip() for part in inside.split(","))
    numbers = [int(part, 0) for part in rest]
    end = numbers[-1]
    start = numbers[0] if len(numbers) > 1 else (1 if end > 0 else -1)
    step = numbers[1] if len(numbers) > 2 else (1 if end >= start else -1)
    if not step or len(numbers) > 3:
        raise ValueError(inside)
    values = range(start, end + (1 if step > 0 else -1), step)
    return [name], [[f"{one:x}" if is_hex else str(one)] for one in islice(values, MAX_SIZE // 8)]


def _list(inside: str) -> Table:
    """~LST(var, a, b) and ~LST({x, y}, {1, 2}, {3, 4})."""
    parts = [
        [one.strip() for one in part.strip("{} \t").split(",")]
        for part in re.findall(r"\{[^}]*\}|[^,{}]+", inside)
        if part.strip(", \t")
    ]
    if len(parts) < 2:
        raise ValueError(inside)
    return parts[0], parts[1:]
