"""Reading the counters of a director with a look, and writing them down.

Small tables are read whole with every look. Reading a table takes time that grows with it,
so one with more than LARGE_TABLE entries is read more rarely, in proportion: the share of
the time that reading takes stays what it is at LARGE_TABLE. Totals are read every time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.utils import timezone

from console.metrics import writing
from console.models import Meter
from console.planning import Step
from console.planning import mark as _
from lvs import declared
from lvs.director import counters
from lvs.director.counters import Counted, Reading
from lvs.director.sample import IncompleteSample
from lvs.figures import counting_interval, longest_gap
from lvs.ipvsadm.errors import ParseError
from lvs.ipvsadm.types import DestinationKey, ForwardingMethod, stored_port
from lvs.measures import DIRECTOR, SERVER, SERVICE
from lvs.models import Director, RealServer, VirtualService
from lvs.models.virtual_services import Forwarding
from lvs.observe import Runner

log = structlog.get_logger(__name__)

#: Seconds that reading the counters may take.
_TIMEOUT = 60.0


def count(director: Director, run: Runner) -> None:
    """Read the counters and keep them. A reading that cannot be understood is left out: it
    is a gap in the graphs, and no reason to disbelieve the look it came with."""
    now = timezone.now().timestamp()
    is_whole = _is_due(director, now)
    script = counters.WHOLE_SCRIPT if is_whole else counters.TOTALS_SCRIPT
    result = run(Step(_("Read the counters"), counters.ARGV, stdin=script, timeout=_TIMEOUT))
    try:
        if result.is_truncated:
            raise IncompleteSample("the answer is longer than the console reads")
        reading = counters.read_counters(result.stdout, result.stderr)
    except (IncompleteSample, ParseError) as error:
        log.warning("counters_not_read", director=director.pk, error=str(error))
        return
    keep(director, reading, now)


def _is_due(director: Director, now: float) -> bool:
    """Whether each service is read this time: with every look while the table is small, else
    with the first one of each interval."""
    if director.table_size <= settings.LARGE_TABLE:
        return True
    meter = Meter.objects.filter(target_type=DIRECTOR.target_type, target_id=director.pk).first()
    every = counting_interval(director)
    return meter is None or now // every > meter.at.timestamp() // every


def keep(director: Director, reading: Reading, at: float) -> None:
    """Write a reading down: the director, and its declared services and real servers."""
    often = longest_gap(settings.POLL_INTERVAL)
    totals = [*_numbers(reading.totals.own), reading.totals.buckets]
    writing.record(DIRECTOR, at, {director.pk: totals}, often)
    if reading.services is None:
        return
    services, servers = {}, {}
    for service, members in _declared(director):
        found = reading.services.get(declared.key_of(service))
        if found is None:
            continue
        services[service.pk] = _numbers(found.own)
        for pk, key in members:
            if key in found.servers:
                servers[pk] = _numbers(found.servers[key])
    rarely = longest_gap(counting_interval(director))
    writing.record(SERVICE, at, services, rarely)
    writing.record(SERVER, at, servers, rarely)


def _numbers(counted: Counted) -> list[int | None]:
    """The numbers of one object in the order of its metrics. What answers would have counted
    is not known where they do not come back through the director."""
    connections, in_packets, out_packets, in_bytes, out_bytes = counted.stats
    return [
        connections,
        in_packets,
        None if counted.is_one_way else out_packets,
        in_bytes,
        None if counted.is_one_way else out_bytes,
        *(counted.now or (None, None)),
    ]


def _declared(
    director: Director,
) -> Iterator[tuple[VirtualService, list[tuple[int, DestinationKey]]]]:
    """The services that are declared, each with the keys of its real servers."""
    rows = director.virtual_services.only(
        "protocol", "vip", "port", "fwmark", "forwarding", "director_id"
    )
    members: dict[int, list[RealServer]] = defaultdict(list)
    for server in RealServer.objects.filter(virtual_service__director=director).only(
        "virtual_service_id", "rip", "port", "forwarding"
    ):
        members[server.virtual_service_id].append(server)
    for service in rows:
        key = declared.key_of(service)
        yield (
            service,
            [
                (one.pk, DestinationKey(one.rip, stored_port(key, _method(service, one), one.port)))
                for one in members[service.pk]
            ],
        )


def _method(service: VirtualService, server: RealServer) -> ForwardingMethod:
    return Forwarding(server.forwarding or service.forwarding).in_table
