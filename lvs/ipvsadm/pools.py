"""Reasons why real servers of one service, or services of one director, do not go together.

Codes and fields are those of `problems`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from console.planning import Problem
from console.planning import mark as _

from .render import service_words
from .schedulers import SCHEDULERS
from .types import (
    Connections,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Service,
    ServiceKey,
    Table,
    stored_port,
)

#: Share of the upper threshold from which connections are said to be near it.
NEAR = 0.8


def pool_problems(
    service: Service,
    destinations: Sequence[Destination],
    connections: Mapping[DestinationKey, Connections] | None = None,
) -> Iterator[Problem]:
    """What is wrong with the real servers of a service together. `connections` are
    those that each holds now, where known."""
    subject = str(service.key)
    stored = Counter(
        (one.key.address, stored_port(service.key, one.forwarding, one.key.port))
        for one in destinations
    )
    for (address, port), count in stored.items():
        if count > 1:
            yield Problem(
                "ipvs-server-duplicate",
                str(DestinationKey(address, port)),
                _("The real server is there %(count)s times."),
                _("Keep one of them, with the sum of the weights."),
                {"count": count},
            )
    for one in destinations:
        held = (connections or {}).get(one.key)
        if held and one.upper_threshold and sum(held) >= NEAR * one.upper_threshold:
            yield Problem(
                "ipvs-threshold-near",
                str(one.key),
                _(
                    "The upper threshold %(upper)s counts closed connections too, and %(active)s"
                    " active and %(inactive)s inactive ones are there now."
                ),
                _("Raise the threshold: a closed TCP connection counts for two more minutes."),
                {
                    "upper": one.upper_threshold,
                    "active": held.active,
                    "inactive": held.inactive,
                },
                is_blocking=False,
            )
    yield from _weights(service, destinations, subject)
    yield from one_packet_problems(service, destinations)


def one_packet_problems(service: Service, destinations: Iterable[Destination]) -> Iterator[Problem]:
    """One-packet scheduling and masq: the kernel forgets each connection at once, so that
    nothing turns the source of an answer back into the VIP. Measured on a 6.1 kernel, with
    net.ipv4.vs.conntrack 0 and 1: requests arrive, and clients drop what comes back."""
    if service.one_packet and any(one.forwarding is ForwardingMethod.MASQ for one in destinations):
        yield Problem(
            "ipvs-one-packet-masq",
            str(service.key),
            _(
                "With one-packet scheduling the director forgets whom it forwarded to: by masq,"
                " clients get answers from the real server's own address, and drop them."
            ),
            _("Forward by route, or switch one-packet scheduling off."),
        )


def _weights(
    service: Service, destinations: Sequence[Destination], subject: str
) -> Iterator[Problem]:
    weights = [one.weight for one in destinations]
    scheduler = SCHEDULERS.get(service.scheduler)
    if not weights:
        code = "ipvs-no-servers"
        message = _("The service has no real server: new clients are refused.")
    elif not any(weights):
        code = "ipvs-all-weights-zero"
        message = _("All weights are 0: new clients are refused.")
    else:
        code, message = "", ""
    if code:
        yield Problem(
            code,
            subject,
            message,
            _("Give a real server a weight above 0."),
            is_blocking=False,
        )
    if scheduler and scheduler.slots and sum(weights) > scheduler.slots:
        yield Problem(
            "ipvs-weights-beyond-slots",
            subject,
            _(
                "The weights add up to %(sum)s, and %(name)s has %(slots)s slots: some real"
                " servers would get less than their share, or none."
            ),
            _("Keep the sum of the weights at or below %(slots)s."),
            {"sum": sum(weights), "name": scheduler.name, "slots": scheduler.slots},
            is_blocking=False,
        )
    if (
        scheduler
        and not scheduler.uses_weights
        and len({weight for weight in weights if weight}) > 1
    ):
        weighing = f"w{scheduler.name}"
        yield Problem(
            "ipvs-weights-ignored",
            subject,
            _("The scheduler %(name)s does not look at weights, except 0."),
            _("Choose %(weighing)s."),
            {"name": scheduler.name, "weighing": weighing if weighing in SCHEDULERS else "wlc"},
            is_blocking=False,
        )


def service_conflicts(keys: Iterable[ServiceKey]) -> Iterator[Problem]:
    """Services of one director that get in each other's way."""
    counted = Counter(keys)
    for key, count in counted.items():
        if count > 1:
            yield Problem(
                "ipvs-service-duplicate",
                str(key),
                _("%(count)s services have this protocol, address and port."),
                _("Keep one of them."),
                {"count": count},
            )
        every_port = key._replace(port=0)
        if not key.fwmark and key.port and every_port in counted:
            yield Problem(
                "ipvs-services-overlap",
                str(key),
                _("%(service)s takes every port of this address, except this one."),
                _("Keep both if that is meant; else remove one."),
                {"service": str(every_port)},
                is_blocking=False,
            )


def unmanaged_conflicts(
    desired: Table, observed: Table, owned: Collection[ServiceKey]
) -> Iterator[Problem]:
    """Services that are about to be ours, and stand on the director already without
    being so: planning them would edit what somebody else made."""
    for key in desired:
        if key in observed and key not in owned:
            yield Problem(
                "ipvs-unmanaged-conflict",
                str(key),
                _("The director has %(service)s already, and it is not managed here."),
                _("Adopt it, or remove it from the director first."),
                {"service": service_words(key)},
            )
