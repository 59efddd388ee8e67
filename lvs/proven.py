"""A proof as the page of its service shows it: the verdict in words, who answered, what to
check on those that did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lvs import needed, shown
from lvs.ipvsadm.types import Stats
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import Forwarding
from lvs.realserver import script

#: Real servers for which a page spells out what to check.
CHECKED = 10

_OUTCOMES: dict[str, tuple[str, str | Promise]] = {
    "answered": ("ok", gettext_lazy("answered")),
    "connected": ("warn", gettext_lazy("connected, but said nothing")),
    "refused": ("bad", gettext_lazy("refused the connection")),
    "timeout": ("bad", gettext_lazy("no answer in time")),
    "error": ("bad", gettext_lazy("could not be sent")),
}
_RESULTS: dict[str, tuple[str, str | Promise]] = {
    "answered": ("ok", gettext_lazy("answered")),
    "silent": ("bad", gettext_lazy("got requests, did not answer")),
    "unasked": ("warn", gettext_lazy("got no request")),
}


@dataclass(frozen=True, slots=True)
class Counted:
    """One real server in a proof, with the director's counters before and after; None where
    they were not read."""

    address: str
    tone: str
    words: str | Promise
    requests: int
    before: Stats | None
    after: Stats | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: how long it took in milliseconds, who got it, and the first line said."""

    real_server: str
    tone: str
    words: str | Promise
    milliseconds: float
    source_port: int
    said: str


@dataclass(frozen=True, slots=True)
class Check:
    """What to look at on one real server: a sentence, and commands to run there."""

    address: str
    text: str
    commands: str
    remedy: str
    script: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The last proof. `is_old` says that the service was changed since; `reason` explains
    why real servers without a request could not be asked."""

    tone: str
    verdict: str
    client: str
    reason: str
    is_old: bool
    is_open_end: bool
    servers: tuple[Counted, ...]
    requests: tuple[Asked, ...]
    checks: tuple[Check, ...]


def proof_of(service: VirtualService, rows: Sequence[RealServer]) -> Proof | None:
    """The last proof in words, or None before the first."""
    kept = service.proof
    if not kept:
        return None
    tone, verdict = _verdict(kept)
    unasked, silent = kept.get("unasked", []), kept.get("silent", [])
    reason = _why_unasked(service) if unasked else ""
    if reason and not silent and not kept.get("failed"):
        tone = "info"
    troubled = [row for row in rows if row.weight and (row.address in silent or tone == "bad")]
    return Proof(
        tone,
        verdict,
        kept.get("client", ""),
        reason,
        shown.proof_is_old(service),
        any(not _method(service, row).answers_through_director for row in rows),
        tuple(_counted(kept)),
        tuple(_asked(request) for request in kept.get("requests", [])),
        tuple(_check(service, row) for row in troubled[:CHECKED]),
    )


def _verdict(kept: dict[str, Any]) -> tuple[str, str]:
    answered, silent = len(kept.get("answered", ())), len(kept.get("silent", ()))
    unasked, failed = len(kept.get("unasked", ())), kept.get("failed", 0)
    if kept.get("verdict") == "proved":
        return "ok", ngettext(
            "Proved: the %(count)d real server with weight answered through the VIP.",
            "Proved: each of the %(count)d real servers with weight answered through the VIP.",
            answered,
        ) % {"count": answered}
    if not kept.get("sent") and "paths" in kept:
        return _verdict_of_paths(kept)
    if kept.get("verdict") == "failed":
        return "bad", ngettext(
            "Failed: the %(count)d request through the VIP got no answer.",
            "Failed: none of the %(count)d requests through the VIP got an answer.",
            kept.get("sent", 0),
        ) % {"count": kept.get("sent", 0)}
    parts = [_("%(count)d answered") % {"count": answered}]
    if silent:
        parts.append(_("%(count)d got requests and did not answer") % {"count": silent})
    if unasked:
        parts.append(_("%(count)d got no request") % {"count": unasked})
    words = _("Proved in part: of the real servers with weight %(parts)s.") % {
        "parts": ", ".join(parts)
    }
    if failed:
        words += " " + ngettext(
            "%(count)d request failed.", "%(count)d requests failed.", failed
        ) % {"count": failed}
    return "warn", words


def _verdict_of_paths(kept: dict[str, Any]) -> tuple[str, str]:
    """Where nobody asked from outside: only what the director itself could see."""
    if kept.get("verdict") == "reached":
        return "ok", _(
            "Each real server with weight answers the director through its path. Nobody asked"
            " from outside."
        )
    tone = "bad" if kept.get("verdict") == "failed" else "warn"
    return tone, _(
        "Not every real server answers the director through its path. Nobody asked from outside."
    )


def _why_unasked(service: VirtualService) -> str:
    """Why one client cannot reach every real server, or "" when it could."""
    scheduler, flags = service.scheduler, service.scheduler_flags
    if service.persistence_timeout is not None:
        return _("With persistence one client stays with its real server: a proof from one"
                 " client asks that one only.")  # fmt: skip
    if scheduler in ("sh", "mh") and f"{scheduler}-port" not in flags:
        return _("This scheduler always sends one client to the same real server: a proof from"
                 " one client asks that one only.")  # fmt: skip
    if scheduler in ("dh", "lblc", "lblcr"):
        return _("This scheduler sends one destination address to one real server: the others"
                 " get requests when that one is overloaded or gone.")  # fmt: skip
    if scheduler in ("fo", "ovf"):
        return _("This scheduler takes the highest weight first: the others get requests when"
                 " that one is full or gone.")  # fmt: skip
    return ""


def _counted(kept: dict[str, Any]) -> list[Counted]:
    results = {address: name for name in _RESULTS for address in kept.get(name, ()) if address}
    counters: dict[str, Any] = kept.get("counters", {})
    asked = [request.get("real_server", "") for request in kept.get("requests", [])]
    addresses = [*results, *(one for one in counters if one not in results)]
    return [
        Counted(
            address,
            *_RESULTS.get(results.get(address, ""), ("neutral", gettext_lazy("weight 0"))),
            asked.count(address),
            _stats(counters.get(address, {}).get("before")),
            _stats(counters.get(address, {}).get("after")),
        )
        for address in addresses
    ]


def _stats(values: Sequence[int] | None) -> Stats | None:
    return Stats(*values) if values and len(values) == len(Stats._fields) else None


def _asked(request: dict[str, Any]) -> Asked:
    tone, words = _OUTCOMES.get(request.get("outcome", ""), _OUTCOMES["error"])
    said = str(request.get("said", "")).strip().splitlines()
    return Asked(
        request.get("real_server", ""),
        tone,
        words,
        1000 * float(request.get("seconds", 0)),
        int(request.get("source_port", 0)),
        said[0] if said else "",
    )


def _method(service: VirtualService, row: RealServer) -> Forwarding:
    return Forwarding(row.forwarding or service.forwarding)


def _check(service: VirtualService, row: RealServer) -> Check:
    row.virtual_service = service
    needs = needed.needs_of(row)
    method = _method(service, row)
    has_way = method != Forwarding.MASQ or any(need.gateway for need in needs)
    return Check(
        row.address,
        str(_LOOKED_FOR[method]),
        script.verification_script(needs).strip(),
        str(_REMEDIES[method] if has_way else _NO_WAY),
        script.preparation_script(needs).strip(),
    )


_LOOKED_FOR: dict[str, str | Promise] = {
    Forwarding.ROUTE.value: gettext_lazy(
        "By direct routing it must hold the VIP on its loopback, never answer ARP for it,"
        " and listen on that address."
    ),
    Forwarding.TUNNEL.value: gettext_lazy(
        "By tunnelling it must take packets out of the tunnel, hold the VIP on its loopback,"
        " never answer ARP for it, and listen on that address."
    ),
    Forwarding.MASQ.value: gettext_lazy(
        "By NAT its answers must go back through the director, and something must listen on"
        " its port."
    ),
    Forwarding.FULLNAT.value: gettext_lazy(
        "By Full NAT it needs nothing but a way to the director’s local addresses, and something"
        " that listens on its port."
    ),
}
_PREPARES = gettext_lazy("This script prepares it, now and for every boot:")
_REMEDIES: dict[str, str | Promise] = {
    Forwarding.ROUTE.value: _PREPARES,
    Forwarding.TUNNEL.value: _PREPARES,
    Forwarding.MASQ.value: gettext_lazy(
        "The director is its neighbour: this script leads its answers back that way, now and for"
        " every boot, and leaves its other ways as they are:"
    ),
    Forwarding.FULLNAT.value: gettext_lazy("See that nothing in between drops the packets."),
}
_NO_WAY = gettext_lazy(
    "The director has no address in its network: each router on the way back must"
    " lead to the director."
)
