"""What a planner returns: frozen values, no clock, no database, no machine.

A planner compares what should be with what is and answers with a `Plan`, an
ordered tuple of `Step`s. `console.converge` runs the steps; people read them
under the heading "Planned changes" before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum


def mark(text: str) -> str:
    """The text itself. Pure modules call it `_`, so that makemessages finds what is said;
    who shows it translates it."""
    return text


class Effect(Enum):
    """What a step, or one line of it, does to the machine."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch as people read it: the text and what it does.

    `before` is the line that describes the present state, where there is one,
    so that a page can draw the change as a diff.
    """

    text: str
    effect: Effect
    before: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One remote command, alone or fed a whole batch on standard input.

    `title` is an English sentence that pages translate as it is: nothing is filled in.
    `argv` is a tuple of words, quoted once by the transport. `lines` are the
    batch; the bytes on standard input are `stdin`, or the lines joined by
    newlines when `stdin` is None. `is_destructive` marks a step that takes
    something away. `keep` is a shell fragment that is run before a change and prints the
    shell lines that take the step back afterwards. `secrets` are strings that must never
    be shown or stored. `timeout` is in seconds and is kept by the remote side. `machine`
    names the machine where a plan is about several.
    """

    title: str
    argv: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    stdin: bytes | None = None
    is_destructive: bool = False
    timeout: float = 60.0
    keep: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    machine: str = ""

    @property
    def input_bytes(self) -> bytes | None:
        """The bytes for standard input, or None when the command takes none."""
        if self.stdin is not None:
            return self.stdin
        if not self.lines:
            return None
        return ("\n".join(line.text for line in self.lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """An ordered set of steps; an empty plan is the proof of agreement."""

    steps: tuple[Step, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.steps + other.steps)

    @property
    def removals(self) -> int:
        """How many lines, or single steps, take something away."""
        return sum(
            sum(line.effect is Effect.REMOVE for line in step.lines)
            if step.lines
            else int(step.is_destructive)
            for step in self.steps
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason why something would not work, with its remedy, in words.

    `code` is stable and meant for programs; `subject` names the field or the
    object; `is_blocking` says that applying is refused until it is mended. `message` and
    `remedy` are English format strings over `params`, to be translated before they are
    filled in.
    """

    code: str
    subject: str
    message: str
    remedy: str
    params: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    is_blocking: bool = True

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The message, filled in."""
        return translate(self.message) % self.params

    def remedy_text(self, translate: Callable[[str], str] = str) -> str:
        """The remedy, filled in."""
        return translate(self.remedy) % self.params


@dataclass(frozen=True, slots=True)
class Outcome:
    """What converging came to.

    `left` is the second plan: success means that it is empty. `passes` counts
    how often steps were run. `said` is what the machine wrote on standard
    error while it refused.
    """

    left: Plan
    passes: int
    steps_run: int
    said: str = ""

    @property
    def is_converged(self) -> bool:
        return not self.left
