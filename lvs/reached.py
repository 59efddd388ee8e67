"""The proof of each real server's path as the page of its service shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lvs.models import VirtualService
from lvs.models.virtual_services import Forwarding

_OUTCOMES: dict[str, tuple[str, str | Promise]] = {
    "answered": ("ok", _("answered")),
    "connected": ("ok", _("connected")),
    "refused": ("bad", _("refused")),
    "timeout": ("bad", _("no answer")),
    "unreachable": ("bad", _("unreachable")),
    "error": ("bad", _("could not be asked")),
    "taken": ("ok", _("taken")),
    "closed": ("neutral", _("closed early")),
    "hung": ("bad", _("hangs")),
    "": ("neutral", "–"),
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One question to a real server: what came of it, and how long it took in milliseconds."""

    tone: str
    words: str | Promise
    milliseconds: float | None


@dataclass(frozen=True, slots=True)
class ServerReached:
    """One real server: asked plainly, through the path, and with an upload; why not, in words."""

    address: str
    method: str
    direct: Leg
    path: Leg
    upload: Leg
    tone: str
    problem: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PathsShown:
    """The paths of the last proof; `left_out` counts real servers beyond its bound."""

    servers: tuple[ServerReached, ...]
    unreached: int
    left_out: int


def paths_of(service: VirtualService) -> PathsShown | None:
    """The paths in words, or None before the first proof of them."""
    kept: dict[str, Any] = service.proof.get("paths", {})
    if not kept.get("servers"):
        return None
    methods = {
        row.address: Forwarding(row.effective_forwarding).short
        for row in service.real_servers.all()
    }
    shown = [_shown(one, methods) for one in kept["servers"]]
    shown.sort(key=lambda one: ("bad", "warn", "neutral", "ok").index(one.tone))
    return PathsShown(tuple(shown), len(kept["unreached"]), kept.get("left_out", 0))


def _shown(one: dict[str, Any], methods: Mapping[str, str]) -> ServerReached:
    path, problem = _leg(one["path"]), one.get("problem")
    tone = path.tone
    if problem:
        tone = "bad" if problem["is_blocking"] else "warn"
    return ServerReached(
        one["name"],
        methods.get(one["name"], ""),
        _leg(one["direct"]),
        path,
        _leg(one["upload"]),
        tone,
        problem,
    )


def _leg(answer: dict[str, Any]) -> Leg:
    tone, words = _OUTCOMES.get(answer["outcome"], _OUTCOMES["error"])
    return Leg(tone, words, 1000 * answer["seconds"] if tone == "ok" else None)


@dataclass(frozen=True, slots=True)
class OwnerShown:
    """Who answered for the VIP on the clients' network."""

    tone: str
    words: str
    remedy: str
    answers: tuple[Mapping[str, Any], ...]
    tries: int


_STATES: dict[str, tuple[str, str | Promise, str | Promise]] = {
    "director": ("ok", _("Only the director answers for the VIP on the clients’ network."), ""),
    "stolen": (
        "bad",
        _("Another machine answers for the VIP: clients of that network go past the director."),
        _("Set arp_ignore=1 and arp_announce=2 for all there, before the VIP; then prove again."),
    ),
    "nobody": (
        "bad",
        _("Nobody answers for the VIP on the clients’ network."),
        _("See that the director holds it, on an interface of that network: apply."),
    ),
    "routed": (
        "neutral",
        _(
            "The client for proofs is not in the VIP’s own network: who answers there cannot be"
            " heard from it."
        ),
        "",
    ),
}


def owner_of(service: VirtualService) -> OwnerShown | None:
    """Who answered, in words, or None where nobody listened yet."""
    kept: dict[str, Any] = service.proof.get("owner", {})
    if kept.get("state") not in _STATES:
        return None
    tone, words, remedy = _STATES[kept["state"]]
    return OwnerShown(
        tone, str(words), str(remedy), tuple(kept.get("answers", ())), kept.get("tries", 0)
    )
