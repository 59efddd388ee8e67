"""Rows that would declare what was found: made, checked, and compared with what is declared.

An entry is only offered when its rows come back as exactly that entry, so that applying what
was imported cannot change the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy

from console.planning import Problem
from console.planning import mark as _
from lvs import declared
from lvs.director.marks import Feed
from lvs.ipvsadm import pools, problems, render
from lvs.ipvsadm.types import ServiceKey, VirtualEntry
from lvs.keepalived.table import Origin
from lvs.models import Director, RealServer, ServiceAddress, VirtualService
from lvs.rows import rows_of


class State(models.TextChoices):
    """What becomes of an entry."""

    NEW = "new", gettext_lazy("will be declared")
    DECLARED = "declared", gettext_lazy("declared already")
    DIFFERS = "differs", gettext_lazy("declared differently")
    REFUSED = "refused", gettext_lazy("cannot be declared")


@dataclass
class Draft:
    """An entry and the rows that would declare it, not saved."""

    key: str
    entry: VirtualEntry
    state: State = State.NEW
    name: str = ""
    service: VirtualService = field(default_factory=VirtualService)
    servers: list[RealServer] = field(default_factory=list)
    addresses: list[ServiceAddress] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    origin: Origin | None = None

    @property
    def address(self) -> str:
        return str(self.entry.service.key)

    @property
    def lines(self) -> list[str]:
        """The entry as `ipvsadm -R` would read it."""
        return render.render_table({self.entry.service.key: self.entry})


@dataclass(frozen=True)
class Known:
    """What the fleet has already, read once for all entries."""

    present: Mapping[ServiceKey, VirtualEntry]
    vips_elsewhere: Mapping[str, str]
    schedulers: frozenset[str]
    own_ssh: tuple[str, int]

    @classmethod
    def of(cls, director: Director, schedulers: Iterable[str]) -> Known:
        """As it is in the database now."""
        elsewhere = VirtualService.objects.exclude(director=director).values_list(
            "vip", "director__host__name"
        )
        return cls(
            declared.desired_table(director.virtual_services.all()),
            dict(elsewhere),
            frozenset(schedulers),
            (director.host.address, director.host.port),
        )


def draft_of(
    director: Director,
    entry: VirtualEntry,
    known: Known,
    feeds: Mapping[int, list[Feed]],
) -> Draft:
    """The rows for one entry, and what keeps it from being declared."""
    key = entry.service.key
    draft = Draft(declared.key_text(key), entry)
    if key in known.present:
        draft.state = State.DECLARED if known.present[key] == entry else State.DIFFERS
        if draft.state is State.DIFFERS:
            draft.problems.append(_differs(key))
        return draft
    draft.problems.extend(_build(draft, director, feeds))
    if not any(one.is_blocking for one in draft.problems):
        draft.problems.extend(_wrong(draft, draft.service, known))
    if any(problem.is_blocking for problem in draft.problems):
        draft.state = State.REFUSED
    return draft


def _build(draft: Draft, director: Director, feeds: Mapping[int, list[Feed]]) -> Iterator[Problem]:
    key = draft.entry.service.key
    try:
        service, servers = rows_of(draft.entry)
    except ValueError as error:
        yield _no_row(key, str(error))
        return
    service.director, service.tenant = director, None
    if key.fwmark:
        packets = [one for one in feeds.get(key.fwmark, ()) if _family(one) == key.family]
        if not _match(service, draft.addresses, key.fwmark, packets):
            yield _no_feed(key)
            return
        yield _fed_twice(key)
    draft.service, draft.servers = service, servers
    try:
        again = declared.entry_of(service, servers)
    except ValueError as error:
        yield _no_row(key, str(error))
        return
    if again != draft.entry:
        yield _no_row(key, " | ".join(render.render_table({key: draft.entry})))


def _match(
    service: VirtualService, addresses: list[ServiceAddress], mark: int, feeds: list[Feed]
) -> bool:
    """Make the service one of a firewall mark; False when no single VIP and port feeds it."""
    own = next((one for one in feeds if _is_single(one)), None)
    if own is None:
        return False
    service.matching, service.fwmark = VirtualService.Matching.MARK, mark
    service.protocol, service.port = own.protocol, own.first_port
    service.vip = own.network.partition("/")[0]
    for one in feeds:
        if one is not own:
            network = one.network.partition("/")[0] if _is_host(one) else one.network
            addresses.append(
                ServiceAddress(
                    protocol=one.protocol,
                    network=network,
                    first_port=one.first_port,
                    last_port=one.last_port,
                )
            )
    return True


def _family(feed: Feed) -> int:
    return ip_network(feed.network).version


def _is_host(feed: Feed) -> bool:
    return ip_network(feed.network).num_addresses == 1


def _is_single(feed: Feed) -> bool:
    return _is_host(feed) and feed.first_port == feed.last_port


def _wrong(draft: Draft, service: VirtualService, known: Known) -> Iterator[Problem]:
    """What the rules of the console refuse, whatever the kernel thought of it."""
    value, servers = draft.entry.service, list(draft.entry.destinations.values())
    protocols = {service.protocol, *(one.protocol for one in draft.addresses)}
    yield from problems.service_problems(value, known.schedulers, protocols=protocols)
    yield from pools.one_packet_problems(value, servers)
    for server in servers:
        yield from problems.server_problems(value.key, server)
    rows: list[models.Model] = [*draft.servers, *draft.addresses]
    for row, exclude in [
        (service, {"director", "tenant", "name"}),
        *((row, {"virtual_service", "host"}) for row in rows),
    ]:
        try:
            row.clean_fields(exclude=exclude)
        except ValidationError as error:
            yield _no_row(value.key, " ".join(error.messages))
    if service.vip in known.vips_elsewhere:
        yield _elsewhere(value.key, known.vips_elsewhere[service.vip])
    if (service.protocol, service.vip, service.port) == ("tcp", *known.own_ssh):
        yield _own_ssh(value.key)


def _differs(key: ServiceKey) -> Problem:
    return Problem(
        "import-differs",
        str(key),
        _("%(service)s is declared already, and differently. What is declared stays."),
        _("Apply changes the director to what is declared; or change what is declared first."),
        {"service": str(key)},
        is_blocking=False,
    )


def _no_row(key: ServiceKey, why: str) -> Problem:
    return Problem(
        "import-no-row",
        str(key),
        _("%(service)s cannot be declared as it is: %(why)s"),
        _("It stays as it is, unmanaged. Change it by hand first, or declare it anew later."),
        {"service": str(key), "why": why[:500]},
    )


def _no_feed(key: ServiceKey) -> Problem:
    return Problem(
        "import-mark-unknown",
        str(key),
        _(
            "%(service)s takes packets with a firewall mark, and no rule was found that gives it"
            " by address, protocol and port alone."
        ),
        _(
            "Declare a service matched by firewall mark with the same real servers, apply it, then"
            " take your own rule and this entry away."
        ),
        {"service": str(key)},
    )


def _fed_twice(key: ServiceKey) -> Problem:
    return Problem(
        "import-mark-rules",
        str(key),
        _(
            "The rules that give %(service)s its packets are yours. Applying adds the console's"
            " own, which give the same packets the same mark."
        ),
        _("Take your own rules away after the first Apply."),
        {"service": str(key)},
        is_blocking=False,
    )


def _elsewhere(key: ServiceKey, director: str) -> Problem:
    return Problem(
        "import-other-director",
        str(key),
        _("%(director)s serves the VIP of %(service)s already: an address has one owner."),
        _("Remove the service there first, if this director is to have it."),
        {"service": str(key), "director": director},
    )


def _own_ssh(key: ServiceKey) -> Problem:
    return Problem(
        "import-own-ssh",
        str(key),
        _("%(service)s is the address and port of the director's own SSH."),
        _("Let the console reach the director at another address, or leave the entry unmanaged."),
        {"service": str(key)},
    )
