"""Reasons why tunnelled packets could not be wrapped as declared (ipvsadm(8), --tun-type).

Codes and fields are those of `problems`.
"""

from __future__ import annotations

from collections.abc import Iterator

from console.planning import Problem
from console.planning import mark as _

from .types import Tunnel, TunnelChecksum, TunnelType


def tunnel_unused(subject: str) -> Problem:
    """Tunnel options where nothing is tunnelled."""
    return Problem(
        "ipvs-tunnel-options",
        subject,
        _("Tunnel options belong to forwarding by tunnel."),
        _("Forward by tunnel here, or leave the options out."),
    )


def tunnel_problems(tunnel: Tunnel, subject: str) -> Iterator[Problem]:
    """What is wrong with the wrapping of tunnelled packets."""
    kind = {"type": str(tunnel.type)}
    if tunnel.type is TunnelType.GUE and not 1 <= tunnel.port <= 65535:
        yield Problem(
            "ipvs-tunnel-port",
            subject,
            _("GUE needs the UDP port that the real server listens on, 1 to 65535."),
            _("Give that port; 6080 is the usual one."),
        )
    elif tunnel.type is not TunnelType.GUE and tunnel.port:
        yield Problem(
            "ipvs-tunnel-port",
            subject,
            _("%(type)s has no port."),
            _("Leave the port out, or choose GUE."),
            kind,
        )
    if tunnel.type is TunnelType.IPIP and tunnel.checksum is not TunnelChecksum.NONE:
        yield Problem(
            "ipvs-tunnel-checksum",
            subject,
            _("%(type)s has no checksum of its own."),
            _("Choose none, or another tunnel."),
            kind,
        )
    elif tunnel.type is TunnelType.GRE and tunnel.checksum is TunnelChecksum.REMOTE:
        yield Problem(
            "ipvs-tunnel-checksum",
            subject,
            _("Remote checksums are for GUE only."),
            _("Choose a full checksum or none, or GUE."),
        )
