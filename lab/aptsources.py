"""Where the packages come from: the host's own apt sources, when the host is Debian bookworm.

PURE: text in, lists of words out.
"""

from __future__ import annotations

import re

SUITE = "bookworm"

#: apt settings of the host that reach the build: how to get to the archive, nothing else.
_PASSED_OPTIONS = (
    "Acquire::http",
    "Acquire::https",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<rest>.+)$")


def is_ours(suite: str) -> bool:
    """The release itself, its updates and its security updates; no backports, no third party."""
    return suite in (SUITE, f"{SUITE}-updates", f"{SUITE}-security")


def _line(uri: str, suite: str, signed_by: str) -> str:
    options = f"[signed-by={signed_by}] " if signed_by.startswith("/") else ""
    return f"deb {options}{uri} {suite} main"


def from_one_line(text: str) -> list[str]:
    """The usable entries of a `sources.list` file (sources.list(5), one-line style)."""
    found = []
    for raw in text.splitlines():
        match = _ONE_LINE.match(raw.split("#", 1)[0].strip())
        if match is None or match["uri"].startswith("cdrom:"):
            continue
        suite, *components = match["rest"].split()
        if is_ours(suite) and "main" in components:
            options = dict(
                option.split("=", 1) for option in (match["options"] or "").split() if "=" in option
            )
            found.append(_line(match["uri"], suite, options.get("signed-by", "")))
    return found


def _stanzas(text: str) -> list[dict[str, str]]:
    stanzas: list[dict[str, str]] = []
    current: dict[str, str] = {}
    key = ""
    for raw in [*text.splitlines(), ""]:
        if raw.startswith("#"):
            continue
        if not raw.strip():
            if current:
                stanzas.append(current)
            current, key = {}, ""
        elif raw[0] in " \t":
            current[key] = f"{current.get(key, '')}\n{raw.strip()}"
        else:
            key, _, value = raw.partition(":")
            key = key.strip().lower()
            current[key] = value.strip()
    return stanzas


def from_deb822(text: str) -> list[str]:
    """The usable entries of a `.sources` file (sources.list(5), deb822 style)."""
    found = []
    for stanza in _stanzas(text):
        if stanza.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        if "deb" not in stanza.get("types", "").split():
            continue
        if "main" not in stanza.get("components", "").split():
            continue
        signed_by = stanza.get("signed-by", "").strip()
        found += [
            _line(uri, suite, signed_by)
            for uri in stanza.get("uris", "").split()
            for suite in stanza.get("suites", "").split()
            if is_ours(suite) and not uri.startswith("cdrom:")
        ]
    return found


def is_bookworm(os_release: str) -> bool:
    """Whether an os-release(5) file is Debian 12's."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return (
        fields.get("ID", "").strip('"') == "debian"
        and fields.get("VERSION_CODENAME", "").strip('"') == SUITE
    )


def options_from_dump(dump: str) -> list[str]:
    """Of `apt-config dump`, the settings to hand on: proxies, certificates, date checks."""
    found = []
    for line in dump.splitlines():
        name, _, value = line.partition(" ")
        is_passed = any(name == p or name.startswith(f"{p}::") for p in _PASSED_OPTIONS)
        if is_passed and value not in ('"";', ""):
            found.append(line.rstrip(";"))
    return found
