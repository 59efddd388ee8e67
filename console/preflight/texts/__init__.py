"""The words of every finding, by CODE.CASE. Pages translate them, then fill them in.

Remedies name the command for Debian and its family (`debian`) and for Red Hat Enterprise
Linux and its family (`rhel`), or one command (`command`) for both.
"""

from __future__ import annotations

from .director import DIRECTOR
from .host import HOST
from .hypervisor import HYPERVISOR
from .probe import PROBE
from .real_server import REAL_SERVER
from .words import Text, _

#: The names of the roles and of what they can come to, for pages.
ROLE_LABELS: dict[str, str] = {
    "host": _("Every role"),
    "director": _("Director"),
    "real_server": _("Real server"),
    "hypervisor": _("Hypervisor"),
    "probe": _("Probe"),
}
READINESS_LABELS: dict[str, str] = {
    "ready": _("Ready"),
    "ready-with-warnings": _("Ready, with warnings"),
    "not-ready": _("Not ready"),
}

FINDING_TEXTS: dict[str, Text] = {**HOST, **DIRECTOR, **REAL_SERVER, **HYPERVISOR, **PROBE}
