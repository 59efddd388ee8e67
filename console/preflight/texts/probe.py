"""What is said of the machine that sends requests through a VIP."""

from __future__ import annotations

from .words import INSTALL, Text, _

PROBE: dict[str, Text] = {
    "python3.present": Text("ok", _("python3 %(version)s is installed.")),
    "python3.old": Text(
        "missing", _("python3 %(version)s is too old; the prover needs 3.6 or later."), INSTALL
    ),
    "python3.absent": Text(
        "missing", _("python3 is missing; requests through a VIP are sent with it."), INSTALL
    ),
    "curl.present": Text("ok", _("curl is installed (%(path)s).")),
    "curl.absent": Text(
        "warning", _("curl is not installed; it helps a person to check by hand."), INSTALL
    ),
}
