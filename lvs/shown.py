"""A virtual service as its page shows it: its standing, its real servers, the drawn path.

From the database alone: what is declared, what was last seen, what the last proof said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.access import Actor
from console.planning import Plan, Problem
from lvs import planned
from lvs.models import RealServer, VirtualService
from lvs.models.directors import Provisioning
from lvs.models.virtual_services import Forwarding, TunnelSum

#: Real servers that the path draws; the rest is counted.
DRAWN = 8
#: The thinnest and the thickest line of the path, in pixels.
_THIN, _THICK = 1.5, 6.0
#: The width of a tunnel and of an answer's way, and how far beside the request's that lies.
_TUBE, _DOTTED, _BESIDE = "13", "3", 2.4
#: The page of a tenant's member leaves out what is about the director as a whole.
_OF_THE_DIRECTOR = frozenset({"no-such-interface"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service stands, in two words and a tone."""

    tone: str
    label: str | Promise


@dataclass(frozen=True, slots=True)
class ServerShown:
    """One real server. `row` is None for one that only the director has.

    `seen_weight`, `active` and `inactive` are None where nothing was seen; `share` is its
    part of all connections, or of all weights while there are none, 0 to 1. `tunnel` names
    the wrapping where the method is TUN. `proof` is
    what the last proof says of it: answered, silent, unreached, reached, unasked or "".
    """

    address: str
    method: Forwarding
    tunnel: str
    weight: int
    row: RealServer | None
    seen_weight: int | None
    active: int | None
    inactive: int | None
    share: float
    proof: str
    tone: str
    words: str

    @property
    def short_method(self) -> str:
        return f"{self.method.short} {self.tunnel}".strip()

    @property
    def is_declared(self) -> bool:
        return self.row is not None

    @property
    def differs(self) -> bool:
        """Whether the director has another weight than the declared one."""
        return self.row is not None and self.seen_weight not in (None, self.weight)

    @property
    def connections(self) -> int:
        return (self.active or 0) + (self.inactive or 0)

    @property
    def percent(self) -> float:
        return 100 * self.share


@dataclass(frozen=True, slots=True)
class Link:
    """One line of the path: an SVG path, its width in pixels, its class."""

    d: str
    width: str
    kind: str


@dataclass(frozen=True, slots=True)
class Path:
    """The drawing: clients, the VIP on its director, real servers and the lines to them.

    The lines lie in a box 100 wide and `height` high, stretched to the real place. `tubes`
    go around the lines that are tunnels; `returns` are the way of the answers that come back
    through the director.
    """

    servers: tuple[ServerShown, ...]
    left: int
    links: tuple[Link, ...]
    tubes: tuple[Link, ...]
    returns: tuple[Link, ...]
    height: int
    methods: tuple[Forwarding, ...]
    active: int | None
    inactive: int | None

    @property
    def method(self) -> str:
        """NAT, or NAT + DR where real servers differ."""
        return " + ".join(method.short for method in self.methods)

    @property
    def straight(self) -> str:
        """The methods by which replies go straight back to the clients."""
        return " + ".join(one.short for one in self.methods if not one.answers_through_director)

    @property
    def through(self) -> str:
        """The methods by which they come back through the director."""
        return " + ".join(one.short for one in self.methods if one.answers_through_director)

    @property
    def hides_clients(self) -> bool:
        """Whether real servers see the director's address in place of the clients'."""
        return Forwarding.FULLNAT in self.methods


def standing(service: VirtualService, plan: Plan) -> Standing:
    """What a person wants to know first."""
    if service.is_leaving:
        return Standing("warn", _("Being removed"))
    if service.provisioning_status == Provisioning.ERROR:
        return Standing("bad", _("Last apply failed"))
    if service.applied_generation == 0:
        return Standing("neutral", _("Not applied yet"))
    if service.generation != service.applied_generation:
        return Standing("warn", _("Changed, not applied"))
    if has_drifted(service, plan):
        return Standing("bad", _("Differs on the director"))
    if service.proof.get("verdict") == "proved" and not proof_is_old(service):
        return Standing("ok", _("Serving, proved"))
    return Standing("ok", _("In place"))


def has_drifted(service: VirtualService, plan: Plan) -> bool:
    """Whether the director differs though nothing was declared since the last apply. `plan`
    is the service's own (`lvs.plans`)."""
    is_settled = service.generation == service.applied_generation and not service.is_leaving
    return is_settled and bool(plan)


def proof_is_old(service: VirtualService) -> bool:
    """Whether the service was changed since it was proved."""
    return service.proved_at is not None and service.updated_at > service.proved_at


def advice_for(actor: Actor, service: VirtualService) -> list[Problem]:
    """Reasons why it may not work, without those that only the operator can mend."""
    found = planned.advice(service)
    if actor.can("director.view"):
        return found
    return [problem for problem in found if problem.code not in _OF_THE_DIRECTOR]


def is_blocked(service: VirtualService, problems: Iterable[Problem]) -> bool:
    """Whether Apply would be refused: what is in place already is not held up."""
    is_pending = service.generation != service.applied_generation and not service.is_leaving
    return is_pending and any(problem.is_blocking for problem in problems)


def servers_of(
    service: VirtualService, rows: Iterable[RealServer], live: dict[str, Any]
) -> list[ServerShown]:
    """Declared real servers in their order, then those that only the director has."""
    seen: dict[str, dict[str, Any]] = live["real_servers"]
    declared = {row.address: row for row in rows}
    addresses = [*declared, *(address for address in seen if address not in declared)]
    shares = _shares([(declared.get(one), seen.get(one, {})) for one in addresses])
    return [
        _shown(service, address, declared.get(address), seen.get(address), share)
        for address, share in zip(addresses, shares, strict=True)
    ]


def _shares(servers: Sequence[tuple[RealServer | None, dict[str, Any]]]) -> list[float]:
    counts = [(one.get("active") or 0) + (one.get("inactive") or 0) for _row, one in servers]
    if not any(counts):
        counts = [row.weight if row else 0 for row, _seen in servers]
    total = sum(counts) or 1
    return [count / total for count in counts]


def _shown(
    service: VirtualService,
    address: str,
    row: RealServer | None,
    seen: dict[str, Any] | None,
    share: float,
) -> ServerShown:
    found = seen or {}
    owner = row if row is not None and row.forwarding else service
    method = Forwarding(owner.forwarding)
    proof = _proof_of(service, address) if row is not None else ""
    tone, words = _condition(service, row, seen, proof)
    return ServerShown(
        address,
        method,
        tunnel_words(owner) if method is Forwarding.TUNNEL else "",
        row.weight if row else found["weight"],
        row,
        found.get("weight"),
        found.get("active"),
        found.get("inactive"),
        share,
        proof,
        tone,
        words,
    )


def mark_words(service: VirtualService) -> str:
    """The firewall mark of a service, for those who look for it in nft and ipvsadm."""
    return _("firewall mark %(mark)s") % {"mark": service.mark_text or "–"}


def tunnel_words(row: VirtualService | RealServer) -> str:
    """How its packets are wrapped: "ipip", "gue 6080", "gre csum"."""
    words = [row.tunnel_type]
    if row.tunnel_port:
        words.append(str(row.tunnel_port))
    if row.tunnel_checksum != TunnelSum.NONE:
        words.append(row.tunnel_checksum)
    return " ".join(words)


def _proof_of(service: VirtualService, address: str) -> str:
    for name in ("answered", "silent"):
        if address in service.proof.get(name, ()):
            return name
    paths = service.proof.get("paths", {})
    if address in paths.get("unreached", ()):
        return "unreached"
    if any(one["name"] == address for one in paths.get("servers", ())):
        return "reached"
    return "unasked" if address in service.proof.get("unasked", ()) else ""


_PROOF_WORDS: dict[str, tuple[str, str | Promise]] = {
    "answered": ("ok", gettext_lazy("answered")),
    "silent": ("bad", gettext_lazy("did not answer")),
    "unreached": ("bad", gettext_lazy("not reached through its path")),
    "reached": ("ok", gettext_lazy("reached through its path")),
    "unasked": ("neutral", gettext_lazy("got no request")),
    "": ("neutral", gettext_lazy("not proved")),
}


def _condition(
    service: VirtualService, row: RealServer | None, seen: dict[str, Any] | None, proof: str
) -> tuple[str, str]:
    if row is None:
        return "warn", _("on the director, not declared here")
    if seen is None:
        if service.generation != service.applied_generation:
            return "neutral", _("will be added by Apply")
        return "bad", _("not on the director")
    if row.weight == 0:
        return "neutral", _("drained: no new connections")
    tone, words = _PROOF_WORDS[proof]
    return tone, str(words)


def path_of(service: VirtualService, servers: Sequence[ServerShown]) -> Path:
    """The drawing of a service. What needs a look is drawn first where not all fits."""
    drawn = list(servers)
    if len(drawn) > DRAWN:
        drawn = sorted(drawn, key=lambda one: one.tone not in ("bad", "warn"))[:DRAWN]
    methods = {one.method for one in servers} or {Forwarding(service.forwarding)}
    counted = [one for one in servers if one.active is not None]
    height = 10 * max(1, len(drawn) + (len(servers) > len(drawn)))
    return Path(
        tuple(drawn),
        len(servers) - len(drawn),
        tuple(_link(one, index, height) for index, one in enumerate(drawn)),
        tuple(
            Link(_curve(height / 2, 10 * index + 5), _TUBE, "tube")
            for index, one in enumerate(drawn)
            if one.method is Forwarding.TUNNEL
        ),
        tuple(
            Link(_curve(height / 2 + _BESIDE, 10 * index + 5 + _BESIDE), _DOTTED, "return")
            for index, one in enumerate(drawn)
            if one.method.answers_through_director
        ),
        height,
        tuple(method for method in Forwarding if method in methods),
        sum(one.active or 0 for one in counted) if counted else None,
        sum(one.inactive or 0 for one in counted) if counted else None,
    )


def _link(server: ServerShown, index: int, height: int) -> Link:
    d = _curve(height / 2, 10 * index + 5)
    is_open = server.seen_weight is not None and server.weight > 0
    kind = "bad" if server.tone == "bad" else "open" if is_open else "closed"
    width = _THIN + (_THICK - _THIN) * server.share if is_open else _THIN
    return Link(d, f"{width:.1f}", kind)


def _curve(start: float, end: float) -> str:
    """From the VIP on the left to a real server on the right."""
    return f"M0 {start:g} C50 {start:g} 50 {end:g} 100 {end:g}"
