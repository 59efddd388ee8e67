"""Verbs for cascades: two tiers declared, applied and removed together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation
from lvs import cascades, situations
from lvs.actions import virtual_services as verbs
from lvs.actions.applying import refuse_hopeless
from lvs.models import Director, VirtualService
from lvs.models.virtual_services import Forwarding
from lvs.topology.facts import is_inside


@dataclass(frozen=True, slots=True)
class Tier:
    """One director of the second tier: how it forwards, and to whom. `via` is the address at
    which the front reaches it; empty for the one that it has in a network of the front's."""

    director: Director
    real_servers: Sequence[dict[str, Any]]
    forwarding: str = Forwarding.MASQ
    scheduler: str = "wlc"
    weight: int = 1
    via: str = ""


def create(
    actor: Actor, *, front: dict[str, Any], tiers: Sequence[Tier], apply: bool = False
) -> tuple[VirtualService, Operation | None]:
    """Declare a front and the directors behind it, all or nothing.

    `front` are the values of `create_virtual_service`. Raises ValidationError whose keys for
    a tier look like "tiers.0.real_servers.1.rip".
    """
    if not tiers:
        raise ValidationError(
            {"tiers": ValidationError(_("Give at least one director behind it."), code="required")}
        )
    with transaction.atomic():
        values = {"forwarding": Forwarding.ROUTE.value} | front
        service, _operation = verbs.create_virtual_service(actor, **values)
        for number, tier in enumerate(tiers):
            _add(actor, service, tier, f"tiers.{number}.")
        return service, request_apply(actor, service) if apply else None


def add_tier(
    actor: Actor, front: VirtualService, tier: Tier, *, apply: bool = False
) -> tuple[VirtualService, Operation | None]:
    """Put one more director behind a front; answers its service."""
    require(actor, "virtual_service.manage", front)
    with transaction.atomic():
        back = _add(actor, front, tier, "")
        return back, request_apply(actor, front) if apply else None


def request_apply(actor: Actor, front: VirtualService) -> Operation:
    """Bring both tiers to what is declared, in one operation: the back first."""
    services = _tiers(actor, front)
    for service in services:
        refuse_hopeless(service.director, [service])
    with transaction.atomic():
        return operations.begin(actor, "cascade.apply", front, parameters=_parameters(services))


def request_removal(actor: Actor, front: VirtualService, *, confirm: str) -> Operation | None:
    """Remove both tiers, after the front's name was typed in: the front first. None where
    nothing had ever been applied."""
    services = _tiers(actor, front)
    if confirm.strip() != front.name:
        raise ValidationError(
            {
                "confirm": ValidationError(
                    _("Type %(name)s to confirm.") % {"name": front.name}, code="not_confirmed"
                )
            }
        )
    with transaction.atomic():
        leaving = [left for left in (verbs.let_go(actor, one) for one in services) if left]
        if not leaving:
            return None
        parameters = _parameters(leaving, is_removal=True)
        return operations.begin(actor, "cascade.apply", leaving[-1], parameters=parameters)


def _tiers(actor: Actor, front: VirtualService) -> list[VirtualService]:
    """The services of both tiers, the back first. Raises WrongState for what is no cascade."""
    require(actor, "virtual_service.manage", front)
    backs = list({back.pk: back for back in cascades.backs_of(front).values()}.values())
    if not backs:
        raise WrongState(
            _("%(name)s has no director behind it: it is no cascade.") % {"name": front.name}
        )
    for service in backs:
        require(actor, "virtual_service.manage", service)
    return [*backs, front]


def _parameters(services: Iterable[VirtualService], *, is_removal: bool = False) -> dict[str, Any]:
    """The tiers in their order: [director, [services]] each."""
    order: dict[int, list[int]] = {}
    for service in reversed(list(services)) if is_removal else services:
        order.setdefault(service.director_id, []).append(service.pk)
    return {"tiers": [[director, pks] for director, pks in order.items()], "is_removal": is_removal}


def _add(actor: Actor, front: VirtualService, tier: Tier, prefix: str) -> VirtualService:
    if front.forwarding not in cascades.FRONT:
        raise ValidationError(
            {
                "forwarding": ValidationError(
                    _("The front of a cascade forwards by DR or TUN."), code="not_a_front"
                )
            }
        )
    with _named(prefix):
        if tier.forwarding not in cascades.BACK:
            raise ValidationError(
                {
                    "forwarding": ValidationError(
                        _("The second tier forwards by NAT or Full NAT."), code="not_a_back"
                    )
                }
            )
        if tier.via and tier.via not in cascades.addresses_of(tier.director):
            raise ValidationError(
                {
                    "via": ValidationError(
                        _("%(director)s was not seen with this address.")
                        % {"director": tier.director},
                        code="foreign_address",
                    )
                }
            )
        verbs.add_real_server(
            actor,
            front,
            rip=tier.via or _address_at(front, tier.director),
            port=front.port,
            weight=tier.weight,
            host=tier.director.host,
        )
        back, _operation = verbs.create_virtual_service(
            actor,
            director=tier.director,
            tenant=front.tenant,
            name=f"{front.name}-{tier.director.host.name}"[:64],
            protocol=front.protocol,
            vip=front.vip,
            port=front.port,
            forwarding=tier.forwarding,
            scheduler=tier.scheduler,
            is_vip_managed=False,
            real_servers=tier.real_servers,
        )
    return back


@contextmanager
def _named(prefix: str) -> Iterator[None]:
    """Errors of the body, with a prefix before each field."""
    try:
        yield
    except ValidationError as error:
        if not prefix or not hasattr(error, "error_dict"):
            raise
        named = {f"{prefix}{name}": said for name, said in error.error_dict.items()}
        raise ValidationError(named) from error


def _address_at(front: VirtualService, director: Director) -> str:
    """The director's own address in a network of the front's, of the VIP's family; one in
    the VIP's own network where there is one."""
    machine = situations.director_machine(director)
    own = situations.own_addresses(director, machine)
    shared = situations.director_machine(front.director).attached()
    family = ip_address(front.vip).version
    fitting = [
        (not is_inside(front.vip, [network]), address)
        for address in own
        for network in shared
        if network.version == family and is_inside(address, [network])
    ]
    if fitting:
        return min(fitting)[1]
    raise ValidationError(
        {
            "via": ValidationError(
                _("%(director)s has no address in a network of the front's director: give one.")
                % {"director": director},
                code="no_address",
            )
        }
    )
