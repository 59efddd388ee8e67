"""A kept preflight in the reader's language: what each role lacks, and what to run for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from console.models import Host
from console.preflight import READINESS_LABELS, ROLE_LABELS, Finding, ParseError, Status
from console.preflight.types import Distribution
from console.tones import tone_of

#: The parameters of a remedy that are commands, and the family of distributions of each.
_COMMANDS = {"command": "", "debian": "debian", "rhel": "rhel"}


@dataclass(frozen=True, slots=True)
class Said:
    """One finding in words; `commands` are those of the remedy that fit the machine."""

    tone: str
    message: SafeString
    remedy: SafeString
    commands: list[str]


@dataclass(frozen=True, slots=True)
class RoleReport:
    """What one role needs: `lacking` first, and what is `fine`."""

    role: str
    label: str
    verdict: str
    tone: str
    lacking: list[Said]
    fine: list[Said]


@dataclass(frozen=True, slots=True)
class Report:
    """A preflight as the page of a host shows it."""

    system: str
    kernel: str
    roles: list[RoleReport]


def report_of(host: Host) -> Report | None:
    """The last preflight in words; None when there is none, or when another version of the
    console wrote it."""
    kept = host.preflight
    if not kept:
        return None
    try:
        system = kept["facts"]["distribution"]
        distribution = Distribution(
            system["id"], tuple(system["like"]), system["version"], system["name"]
        )
        kernel = kept["facts"]["kernel"]["release"]
        findings = [Finding.from_json(data) for data in kept["findings"]]
    except (ParseError, KeyError, TypeError):
        return None
    roles = _reports(findings, kept.get("roles", {}), distribution.family)
    return Report(distribution.name, kernel, roles)


def _reports(findings: list[Finding], verdicts: dict[str, str], family: str) -> list[RoleReport]:
    by_role: dict[str, list[Finding]] = {}
    for finding in findings:
        by_role.setdefault(finding.role.value, []).append(finding)
    return [
        RoleReport(
            role,
            _(ROLE_LABELS[role]),
            _(READINESS_LABELS[verdicts[role]]) if role in verdicts else "",
            tone_of(verdicts.get(role, "")),
            [_say(finding, family) for finding in found if finding.status != Status.OK],
            [_say(finding, family) for finding in found if finding.status == Status.OK],
        )
        for role, found in by_role.items()
    ]


def _say(finding: Finding, family: str) -> Said:
    return Said(
        tone_of(finding.status.value),
        _fill(finding.message, finding.params),
        _fill(finding.remedy, finding.params) if finding.remedy else SafeString(""),
        [
            str(finding.params[name])
            for name, only in _COMMANDS.items()
            if f"%({name})s" in finding.remedy and only in ("", family)
        ],
    )


def _fill(words: str, params: dict[str, Any]) -> SafeString:
    """The words in the reader's language; commands in them are set as code."""
    shown = {
        name: format_html("<code>{}</code>", value)
        if name in _COMMANDS
        else value
        if isinstance(value, int | float)
        else conditional_escape(value)
        for name, value in params.items()
    }
    return mark_safe(conditional_escape(_(words)) % shown)  # noqa: S308  all parts are escaped
