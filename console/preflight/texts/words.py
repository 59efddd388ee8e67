"""What the tables of words share. `_` only marks them for makemessages."""

from __future__ import annotations

from dataclasses import dataclass


def _(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Text:
    """The status that goes with the words, the message, and the remedy unless it is ok."""

    status: str
    message: str
    remedy: str = ""


INSTALL = _("Install it: %(debian)s (Debian family) or %(rhel)s (RHEL family).")
RUN = _("Run: %(command)s")
SEE = _("Look with: %(command)s")
