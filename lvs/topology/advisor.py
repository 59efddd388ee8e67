"""Which forwarding method suits a service: DR, TUN, NAT or Full NAT, with the reasons. PURE.

DR costs the least where it can be had: one network, equal ports, real servers that can be
prepared. TUN takes it across routers. NAT asks the real servers only for a route, and has
every answer pass the director. Full NAT asks them for nothing, and hides the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from console.planning import mark as _

from .capacity import PORTS_PER_ADDRESS, local_count
from .facts import Method, Server, Situation, parsed
from .methods import NAT_MANY, mss_of
from .naming import subject_of

#: In this order where nothing else speaks.
ORDER = (Method.ROUTE, Method.TUNNEL, Method.MASQ, Method.FULLNAT)
#: What preparing a real server by hand costs, in places of that order.
_BY_HAND = {Method.ROUTE: 1.5, Method.TUNNEL: 2.5, Method.MASQ: 0.5, Method.FULLNAT: 0.0}
_THROUGH_DIRECTOR = (Method.MASQ, Method.FULLNAT)
#: What answers through the director cost where they are many, and a router on NAT's way back.
_BURDEN, _ROUTER = 3.0, 4.0


class Fit(StrEnum):
    """How well a method suits."""

    BEST = "best"
    POSSIBLE = "possible"
    UNSUITABLE = "unsuitable"


@dataclass(frozen=True, slots=True)
class Sentence:
    """English over `params`, to be translated before it is filled in."""

    message: str
    params: Mapping[str, str | int] = field(default_factory=dict, hash=False)

    def text(self, translate: Callable[[str], str] = str) -> str:
        return translate(self.message) % self.params


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the service where it would stand, and what only a person knows.

    The methods of its real servers do not matter. `is_mostly_out` says that answers are much
    larger than requests; None where nobody knows, likewise `needs_client_address`.
    """

    situation: Situation
    is_mostly_out: bool | None = None
    needs_client_address: bool | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """One method: how it fits, what speaks for and against it, and what it would need."""

    method: Method
    fit: Fit
    reasons: tuple[Sentence, ...]
    against: tuple[Sentence, ...]
    needs: tuple[Sentence, ...]


def advise(question: Question) -> tuple[Advice, ...]:
    """Every method, the most suitable first; those that cannot work come last."""
    obstacles = {method: tuple(_obstacles(method, question)) for method in ORDER}
    burdens = {method: tuple(_burdens(method, question)) for method in ORDER}
    costs = {
        method: ORDER.index(method) + sum(cost for cost, _sentence in burdens[method])
        for method in ORDER
    }
    ranked = sorted(ORDER, key=lambda method: (bool(obstacles[method]), costs[method]))
    return tuple(
        Advice(
            method,
            Fit.UNSUITABLE if obstacles[method] else Fit.POSSIBLE if place else Fit.BEST,
            tuple(_reasons(method, question)),
            (*obstacles[method], *(sentence for _cost, sentence in burdens[method])),
            tuple(_needs(method, question)),
        )
        for place, method in enumerate(ranked)
    )


def _obstacles(method: Method, question: Question) -> Iterator[Sentence]:
    """Why a method cannot work at all here."""
    situation = question.situation
    far = [one for one in situation.servers if situation.is_near(one) is False]
    if method is Method.ROUTE and far:
        yield Sentence(
            _("%(servers)s: behind a router, and DR reaches only the director's own networks."),
            {"servers": subject_of(far)},
        )
    mapped = [one for one in situation.servers if situation.port and one.port != situation.port]
    if method in (Method.ROUTE, Method.TUNNEL) and mapped:
        yield Sentence(
            _("%(servers)s: on another port than the service's %(port)s, which it cannot change."),
            {"servers": subject_of(mapped), "port": situation.port},
        )
    family = parsed(situation.vip).version
    mixed = [one for one in situation.servers if parsed(one.address).version != family]
    if method is not Method.TUNNEL and mixed:
        yield Sentence(
            _("%(servers)s: of the other IP version than the VIP, which only a tunnel carries."),
            {"servers": subject_of(mixed)},
        )
    neighbours = [one for one in situation.servers if situation.is_among_clients(one)]
    if method is Method.MASQ and neighbours:
        yield Sentence(
            _("%(servers)s: in the clients' own network, and would answer them past the director."),
            {"servers": subject_of(neighbours)},
        )
    if method is Method.FULLNAT and question.needs_client_address:
        yield Sentence(_("The real servers must see the client's address, and would not."))


def _burdens(method: Method, question: Question) -> Iterator[tuple[float, Sentence]]:
    """What speaks against a method, in places that it loses by it."""
    situation = question.situation
    by_hand = [one for one in situation.servers if not one.is_prepared and one.machine is None]
    if by_hand and _BY_HAND[method]:
        yield (
            _BY_HAND[method],
            Sentence(
                _("%(servers)s: the console may not log in, so that it is prepared by hand."),
                {"servers": subject_of(by_hand)},
            ),
        )
    if method in _THROUGH_DIRECTOR and question.is_mostly_out:
        yield _BURDEN, Sentence(_("Much more goes out than comes in, all through the director."))
    if method in _THROUGH_DIRECTOR and len(situation.servers) > NAT_MANY:
        yield (
            _BURDEN,
            Sentence(
                _("%(count)s real servers answer through the one director."),
                {"count": len(situation.servers)},
            ),
        )
    routed = [one for one in situation.servers if situation.is_near(one) is False]
    if method is Method.MASQ and routed:
        yield (
            _ROUTER,
            Sentence(
                _("%(servers)s: the routers on the way back must lead to the director."),
                {"servers": subject_of(routed)},
            ),
        )
    if method is Method.FULLNAT and question.needs_client_address is None:
        yield 1.0, Sentence(_("The real servers see the director's address, not the client's."))


def _reasons(method: Method, question: Question) -> Iterator[Sentence]:
    """What speaks for a method here."""
    situation = question.situation
    near = [situation.is_near(one) for one in situation.servers]
    if method is Method.ROUTE and near and all(near):
        yield Sentence(_("All real servers are in a network of the director."))
    if method is Method.TUNNEL and False in near:
        yield Sentence(_("Tunnels lead through routers."))
    if method in (Method.ROUTE, Method.TUNNEL):
        yield Sentence(
            _("Answers, where most of the traffic is, go straight to the clients.")
            if question.is_mostly_out
            else _("Answers go straight to the clients and cost the director nothing.")
        )
    if method is not Method.FULLNAT:
        yield Sentence(_("The real servers see the client's address."))
    if method in _THROUGH_DIRECTOR:
        yield Sentence(_("Real servers may listen on another port than the service's."))
    if method is Method.FULLNAT:
        yield Sentence(_("Real servers may be anywhere and need no preparation."))


def _needs(method: Method, question: Question) -> Iterator[Sentence]:
    """What a method asks for, so that somebody knows before choosing it."""
    situation = question.situation
    if method is Method.ROUTE:
        yield Sentence(_("On each real server: the VIP on its loopback, and no ARP answer for it."))
    elif method is Method.TUNNEL:
        yield Sentence(
            _(
                "On each real server: the tunnel's device, the VIP, no reverse-path filter, and"
                " TCP segments of at most %(mss)s bytes."
            ),
            {"mss": _smallest_segment(situation)},
        )
    elif method is Method.MASQ:
        yield Sentence(_("On the director: IP forwarding."))
        yield Sentence(_("On each real server: the way back to clients through the director."))
    else:
        yield Sentence(_("On the director: IP forwarding and net.ipv4.vs.conntrack=1."))
        yield Sentence(
            _(
                "Ports for %(most)s connections at once to each port of a real server; local"
                " addresses: %(count)s."
            ),
            _ports(situation),
        )


def _smallest_segment(situation: Situation) -> int:
    servers: Iterable[Server] = situation.servers or (Server(situation.vip, 0, Method.TUNNEL),)
    return min(mss_of(situation.vip, one) for one in servers)


def _ports(situation: Situation) -> dict[str, str | int]:
    servers = situation.servers or (Server(situation.vip, 0, Method.FULLNAT),)
    count = min(local_count(situation, one) for one in servers)
    return {"most": PORTS_PER_ADDRESS * count, "count": count}
