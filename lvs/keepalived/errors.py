"""Why a configuration cannot be read at all."""

from __future__ import annotations

from console.planning import Problem
from console.planning import mark as _


class ConfigurationError(ValueError):
    """The text is no configuration that can be trusted: in words, with file and line."""

    def __init__(self, message: str, *, line: int = 0, file: str = "", **params: str | int) -> None:
        self.message, self.line, self.file = message, line, file
        self.params = {"file": file or "keepalived.conf", "line": line, **params}
        super().__init__(message % self.params)

    @property
    def problem(self) -> Problem:
        """The same as a problem with its remedy."""
        return Problem(
            "keepalived-unreadable",
            f"{self.params['file']}:{self.line}",
            self.message,
            _("Mend the file there; `keepalived -t` does not find every such mistake."),
            self.params,
        )
