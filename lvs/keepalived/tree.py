"""From lines of words to blocks within blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from console.planning import mark as _
from lvs.keepalived.errors import ConfigurationError
from lvs.keepalived.expand import Brace, Line

#: Blocks within blocks; keepalived itself has five.
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Statement:
    """A keyword with its words, and the statements in its block; () without a block.

    Where it stands is no part of what it is. `comment` is the comment just above it.
    """

    words: tuple[str, ...]
    children: tuple[Statement, ...] = ()
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)
    comment: str = field(default="", compare=False)

    @property
    def keyword(self) -> str:
        return self.words[0] if self.words else ""

    def word(self, index: int) -> str:
        """One of its words; "" where there are fewer."""
        return self.words[index] if index < len(self.words) else ""

    def find(self, *keywords: str) -> list[Statement]:
        """The statements of its block with one of these keywords."""
        return [child for child in self.children if child.keyword in keywords]


@dataclass
class _Open:
    """A statement whose block is still open."""

    words: tuple[str, ...]
    line: int
    file: str
    comment: str
    children: list[Statement] = field(default_factory=list)

    def closed(self) -> Statement:
        return Statement(self.words, tuple(self.children), self.line, self.file, self.comment)


def build(lines: Iterable[Line]) -> tuple[Statement, ...]:
    """The statements at the top. Raises ConfigurationError where braces do not match."""
    stack = [_Open((), 0, "", "")]
    comment = ""
    for line in lines:
        if not line.words:
            comment = line.comment or comment
            continue
        begun: list[str] = []
        for word in line.words:
            if not isinstance(word, Brace):
                begun.append(word)
            elif word == "{":
                _enter(stack, begun, line, comment)
                begun, comment = [], ""
            else:
                _add(stack[-1], begun, line, comment)
                begun, comment = [], ""
                _leave(stack, line)
        _add(stack[-1], begun, line, comment)
        comment = ""
    if len(stack) > 1:
        raise ConfigurationError(
            _("%(file)s: the block %(keyword)s, begun in line %(line)s, is not closed"),
            line=stack[-1].line,
            file=stack[-1].file,
            keyword=" ".join(stack[-1].words)[:100],
        )
    return tuple(stack[0].children)


def _add(into: _Open, words: list[str], line: Line, comment: str) -> None:
    if words:
        into.children.append(Statement(tuple(words), (), line.number, line.file, comment))


def _enter(stack: list[_Open], words: list[str], line: Line, comment: str) -> None:
    """A brace on a line of its own belongs to the statement before it."""
    if len(stack) > MAX_DEPTH:
        raise ConfigurationError(
            _("%(file)s, line %(line)s: blocks lie more than %(depth)s deep"),
            line=line.number,
            file=line.file,
            depth=MAX_DEPTH,
        )
    if words:
        stack.append(_Open(tuple(words), line.number, line.file, comment))
        return
    siblings = stack[-1].children
    if not siblings or siblings[-1].children:
        raise ConfigurationError(
            _("%(file)s, line %(line)s: a block without a keyword"),
            line=line.number,
            file=line.file,
        )
    head = siblings.pop()
    stack.append(_Open(head.words, head.line, head.file, head.comment))


def _leave(stack: list[_Open], line: Line) -> None:
    if len(stack) == 1:
        raise ConfigurationError(
            _("%(file)s, line %(line)s: a brace closes nothing"), line=line.number, file=line.file
        )
    block = stack.pop().closed()
    stack[-1].children.append(block)
