"""What a preflight says: findings in words, per role, with the remedy of each lack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import codec
from .errors import ParseError
from .texts import FINDING_TEXTS


class Role(StrEnum):
    """What a machine can be. What is true of `HOST` counts for every role."""

    HOST = "host"
    DIRECTOR = "director"
    REAL_SERVER = "real_server"
    HYPERVISOR = "hypervisor"
    PROBE = "probe"


#: The roles that a machine can be asked for, in the order in which pages show them.
ROLES: tuple[Role, ...] = (Role.DIRECTOR, Role.REAL_SERVER, Role.HYPERVISOR, Role.PROBE)


class Status(StrEnum):
    """`MISSING` keeps a machine from its role; `WARNING` does not; `UNKNOWN` could not be
    found out."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Readiness(StrEnum):
    READY = "ready"
    READY_WITH_WARNINGS = "ready-with-warnings"
    NOT_READY = "not-ready"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `code` is stable and meant for programs. `message` and `remedy` are English format
    strings over `params`, to be translated before they are filled in; `remedy` is empty
    when the status is ok. Commands are in `params`, so that no translation touches them.
    """

    code: str
    role: Role
    status: Status
    message: str
    remedy: str = ""
    params: dict[str, str | int] = field(default_factory=dict)

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The message, filled in."""
        return translate(self.message) % self.params

    def remedy_text(self, translate: Callable[[str], str] = str) -> str:
        """The remedy, filled in; empty where nothing needs doing."""
        return translate(self.remedy) % self.params if self.remedy else ""

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        data: dict[str, Any] = codec.to_json(self)
        return data

    @classmethod
    def from_json(cls, data: Any) -> Finding:
        """The inverse of `to_json`. Raises ParseError for anything else."""
        try:
            return cls(
                code=str(data["code"]),
                role=Role(data["role"]),
                status=Status(data["status"]),
                message=str(data["message"]),
                remedy=str(data["remedy"]),
                params={str(key): value for key, value in data["params"].items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ParseError(f"not a finding: {data!r:.200}") from error


def say(role: Role, key: str, code: str = "", /, **params: str | int) -> Finding:
    """The finding whose words stand under `key` ("CODE.CASE") in FINDING_TEXTS. `code` tells
    apart several findings with the same words."""
    text = FINDING_TEXTS[key]
    return Finding(
        code=code or key.partition(".")[0],
        role=role,
        status=Status(text.status),
        message=text.message,
        remedy=text.remedy,
        params=params,
    )


def summary(findings: Iterable[Finding]) -> dict[str, str]:
    """How ready the machine is for each role that was looked at: role to `Readiness`.

    What was found of the host counts for every role. With findings of the host
    only, the answer has the one key "host".
    """
    by_role: dict[Role, set[Status]] = {}
    for finding in findings:
        by_role.setdefault(finding.role, set()).add(finding.status)
    shared = by_role.get(Role.HOST, set())
    asked = [role for role in ROLES if role in by_role] or [Role.HOST]
    return {role.value: _readiness(by_role.get(role, set()) | shared).value for role in asked}


def _readiness(statuses: set[Status]) -> Readiness:
    if Status.MISSING in statuses:
        return Readiness.NOT_READY
    return Readiness.READY_WITH_WARNINGS if statuses - {Status.OK} else Readiness.READY
