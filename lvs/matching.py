"""Which packets services take, and which of them two services would take at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from console import changes
from lvs.director.types import Surroundings
from lvs.ipvsadm import matches
from lvs.ipvsadm.matches import Match
from lvs.models import ServiceAddress, VirtualService

Said = tuple[str, ValidationError]


def addresses_from(wanted: Iterable[dict[str, Any]]) -> list[ServiceAddress]:
    """Rows from what a form or a program sent; without a last port, the first one alone."""
    rows = []
    for index, values in enumerate(wanted):
        row = ServiceAddress()
        try:
            changes.assign(row, {"last_port": values.get("first_port")} | values)
        except ValidationError as error:
            raise ValidationError(
                {f"addresses.{index}.{key}": said for key, said in error.error_dict.items()}
            ) from None
        row.network = matches.canonical_network(str(row.network))
        rows.append(row)
    return rows


def own_match(service: VirtualService) -> Match:
    """The packets to its VIP and port."""
    return Match.of_vip(service.protocol, service.vip, service.port)


def match_of(row: ServiceAddress) -> Match:
    """The packets of one more address."""
    return Match.of_text(row.protocol, row.network, row.first_port, row.last_port)


def protocols_of(service: VirtualService, addresses: Iterable[ServiceAddress]) -> set[str]:
    """The protocols of all packets that it takes."""
    return {service.protocol, *(row.protocol for row in addresses)}


def numbered(addresses: Sequence[ServiceAddress]) -> list[tuple[str, ServiceAddress]]:
    """Each row with the beginning of its fields' names: "addresses.0."."""
    return [(f"addresses.{index}.", row) for index, row in enumerate(addresses)]


def errors_of(
    service: VirtualService, addresses: Sequence[ServiceAddress]
) -> Iterator[tuple[str, ValidationError]]:
    """What is wrong with the packets that a service asks for, each with its field."""
    if addresses and not service.is_marked:
        yield (
            "matching",
            ValidationError(
                _("More addresses need matching by firewall mark: by VIP and port there is one."),
                code="needs_mark",
            ),
        )
        return
    wrong = list(_wrong_rows(service, addresses))
    yield from wrong
    if not wrong:
        asked = [("vip", own_match(service))]
        asked += [(f"{prefix}network", match_of(row)) for prefix, row in numbered(addresses)]
        yield from _taken_twice(asked)
        yield from _taken_elsewhere(service, asked)
        yield from _elsewhere(service, asked)
        yield from _own_ssh(service, asked)


def _wrong_rows(service: VirtualService, addresses: Sequence[ServiceAddress]) -> Iterator[Said]:
    family = 6 if ":" in service.vip else 4
    for prefix, row in numbered(addresses):
        for problem in matches.match_problems(
            row.network, row.first_port, row.last_port, family=family
        ):
            yield (
                f"{prefix}{matches.FIELDS[problem.code]}",
                ValidationError(f"{problem.text(_)} {problem.remedy_text(_)}", code=problem.code),
            )


def _taken_twice(asked: Sequence[tuple[str, Match]]) -> Iterator[Said]:
    for index, (field, match) in enumerate(asked):
        other = next((one for _field, one in asked[:index] if one.overlaps(match)), None)
        if other is not None:
            yield (
                field,
                ValidationError(
                    _("%(match)s is asked for twice: %(other)s takes it already.")
                    % {"match": match, "other": other},
                    code="taken_twice",
                ),
            )


def _taken_elsewhere(service: VirtualService, asked: Sequence[tuple[str, Match]]) -> Iterator[Said]:
    """Packets that another service of the director takes. A mark speaks before an address, so
    that a service by address may have fewer packets than it asks for, but not none."""
    others = service.director.virtual_services.exclude(pk=service.pk)
    for other, match in _marked_matches(others):
        for field, own in asked:
            if match.overlaps(own) and (service.is_marked or match.covers(own)):
                yield field, _taken(other.name, match)
    if not service.is_marked:
        return
    single = others.filter(matching=VirtualService.Matching.ADDRESS)
    if len(asked) == 1:
        single = single.filter(vip=service.vip)
    for other in single.only("name", "protocol", "vip", "port"):
        for field, own in asked:
            if own.covers(own_match(other)):
                yield field, _taken(other.name, own_match(other))


def _marked_matches(services: Any) -> Iterator[tuple[VirtualService, Match]]:
    marked = services.filter(matching=VirtualService.Matching.MARK).prefetch_related("addresses")
    for service in marked:
        yield service, own_match(service)
        for row in service.addresses.all():
            yield service, match_of(row)


def _taken(name: str, match: Match) -> ValidationError:
    return ValidationError(
        _("%(service)s takes %(match)s on this director already.")
        % {"service": name, "match": match},
        code="taken",
    )


def _elsewhere(service: VirtualService, asked: Sequence[tuple[str, Match]]) -> Iterator[Said]:
    """Addresses that another director serves."""
    rows = ServiceAddress.objects.exclude(virtual_service__director=service.director_id)
    networks = [(row, match_of(row).network) for row in _with_director(rows, "virtual_service__")]
    others = VirtualService.objects.exclude(director=service.director_id)
    for field, own in asked:
        found = next(
            (row.virtual_service for row, network in networks if _share(own.network, network)), None
        )
        if found is None and field != "vip":
            vips = _with_director(others.only("vip", "director__host__name"))
            found = next((one for one in vips if _share(own.network, ip_network(one.vip))), None)
        if found is not None:
            yield (
                field,
                ValidationError(
                    _("%(director)s serves this VIP already: an address has one owner.")
                    % {"director": found.director},
                    code="other_director",
                ),
            )


def _with_director(rows: Any, path: str = "") -> Any:
    return rows.select_related(f"{path}director__host")


def _share(network: matches.Network, other: matches.Network) -> bool:
    return network.version == other.version and network.overlaps(other)


def _own_ssh(service: VirtualService, asked: Sequence[tuple[str, Match]]) -> Iterator[Said]:
    """The console's own way in."""
    host = service.director.host
    held = Surroundings.from_json(service.director.observed_facts).bare_addresses()
    for field, match in asked:
        for address in {host.address, *(held - {service.vip})}:
            if _is_address(address) and match.overlaps(Match.of_vip("tcp", address, host.port)):
                yield (
                    field,
                    ValidationError(
                        _(
                            "This is the address and port of the director's own SSH: it would"
                            " shut the console out."
                        ),
                        code="own_ssh",
                    ),
                )
                break


def _is_address(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
