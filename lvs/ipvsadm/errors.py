"""What the readers of ipvsadm's and the kernel's text raise."""

from __future__ import annotations


class ParseError(ValueError):
    """A line that is not understood. Quotes the line and its number (from 1).

    `line_number` 0 means the text as a whole, for example a missing heading.
    """

    def __init__(self, reason: str, line: str = "", line_number: int = 0) -> None:
        where = f"line {line_number}: " if line_number else ""
        quoted = f": {line[:200]!r}" if line else ""
        super().__init__(f"{where}{reason}{quoted}")
        self.reason = reason
        self.line = line
        self.line_number = line_number


class InconsistentSample(ValueError):
    """Two readings of one table disagree: it changed between them. Read again."""


class SaveRequired(ValueError):
    """The thresholds and /proc/net/ip_vs do not tell everything about this table:
    read `ipvsadm -S -n` too (see `combine.needs_save`)."""


def reason_of(error: Exception) -> str:
    """What to say of a line that could not be read: the reader's own words, or none."""
    text = str(error)
    if isinstance(error, ValueError) and not text.startswith(("invalid literal", "not enough")):
        return text
    return "the line is not understood"
