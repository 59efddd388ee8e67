"""Real requests through a VIP, from outside, until every real server answered.

The client sends requests in small rounds; the director's connection table then names the
real server that got each source port, and its counters before and after are shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from console.execution import Refusal, Run
from console.planning import Step
from console.planning import mark as _
from console.remote.session import Session
from lvs import declared
from lvs.ipvsadm import parse, render
from lvs.ipvsadm.types import Connection, ServiceKey, Stats
from lvs.models import VirtualService
from lvs.probe import reading
from lvs.probe.reading import IncompleteProof, Request

#: Requests of one proof, at most: enough for weights a hundred times apart.
_MAX_REQUESTS = 200
#: Requests of one round, so that a proof with a few real servers ends after a moment.
_ROUND = 25
#: Requests that a real server gets before it counts as silent: each may cost a timeout.
_CHANCES = 3
#: Seconds that one request may take.
_TIMEOUT = 3.0
#: Seconds until the kernel shows what was counted: its estimator sums up every two.
_COUNTERS_LAG = 3


@dataclass
class Outside:
    """The requests of one proof. `client` is the client's address as the director saw it,
    "" where no request got as far as that."""

    expected: list[str]
    requests: list[Request] = field(default_factory=list)
    client: str = ""


def ask(
    run: Run, service: VirtualService, on_client: Session, on_director: Session, expected: list[str]
) -> tuple[Outside, dict[str, Any]]:
    """Send requests; what came of them, and the proof's part about them."""
    outside = Outside(expected)
    before = _counters(run, on_director, service)
    _ask_until_answered(run, service, on_client, on_director, outside)
    after = _counters(run, on_director, service, wait=_COUNTERS_LAG)
    return outside, judge(expected, outside.requests) | {
        "requests": [request.to_json() for request in outside.requests],
        "counters": {
            server: {"before": list(before.get(server, ())), "after": list(counted)}
            for server, counted in after.items()
        },
    }


def judge(expected: list[str], requests: list[Request]) -> dict[str, Any]:
    """What the requests prove: who answered, who got requests and did not, who got none."""
    answered = sorted({request.real_server for request in requests if request.is_answered} - {""})
    got = {request.real_server for request in requests} - {""}
    failed = sum(not request.is_answered for request in requests)
    silent = sorted(got - set(answered))
    unasked = sorted(set(expected) - got)
    if not any(request.is_answered for request in requests):
        verdict = "failed"
    elif failed or silent or unasked:
        verdict = "partial"
    else:
        verdict = "proved"
    return {
        "verdict": verdict,
        "answered": answered,
        "silent": silent,
        "unasked": unasked,
        "sent": len(requests),
        "failed": failed,
    }


def _ask_until_answered(
    run: Run,
    service: VirtualService,
    on_client: Session,
    on_director: Session,
    outside: Outside,
) -> None:
    expected, requests = outside.expected, outside.requests
    count = min(_ROUND, max(2, 2 * len(expected)))
    while len(requests) < _MAX_REQUESTS:
        fresh = _round(run, service, on_client, count)
        connections = _connections(run, service, on_director, fresh)
        requests += reading.attribute(fresh, connections)
        outside.client = next((one.client.address for one in connections), outside.client)
        run.progress(50 * len(requests) // _MAX_REQUESTS)
        if not any(request.is_answered for request in fresh) or _knows_enough(outside):
            break
        if _sticks(service):
            break
        count = min(_ROUND, _MAX_REQUESTS - len(requests))


def _knows_enough(outside: Outside) -> bool:
    """Whether each real server has answered, or has had chances enough to."""
    asked = Counter(request.real_server for request in outside.requests)
    answered = {request.real_server for request in outside.requests if request.is_answered}
    return all(one in answered or asked[one] >= _CHANCES for one in outside.expected)


def _sticks(service: VirtualService) -> bool:
    """Whether one client always gets the same real server: more requests prove no more."""
    return service.persistence_timeout is not None or service.scheduler in ("sh", "dh", "mh")


def _round(run: Run, service: VirtualService, client: Session, count: int) -> list[Request]:
    script = reading.client_script(service.protocol, service.vip, service.port, count, _TIMEOUT)
    step = Step(
        _("Send requests to the virtual service"),
        reading.ARGV,
        stdin=script,
        timeout=count * (_TIMEOUT + 1) + 10,
    )
    result = run.run(client, step)
    try:
        return reading.read_requests(result.stdout)
    except IncompleteProof as error:
        raise Refusal(
            "no-proof",
            _("%(machine)s: the requests could not be sent"),
            {"machine": client.machine},
            said=f"{error}\n{result.stderr}",
            remedy=_("The client needs Python 3: run its preflight, which says how to install it."),
        ) from error


def _connections(
    run: Run, service: VirtualService, director: Session, requests: list[Request]
) -> list[Connection]:
    """The director's entries for the source ports that were just used."""
    ports = " || ".join(f'$3 == "{request.source_port:04X}"' for request in requests)
    program = (
        f'NR == 1 || ($1 == "{service.protocol.upper()}" && $5 == "{service.port:04X}"'
        f" && ({ports}))"
    )
    step = Step(_("Ask who got them"), ("awk", program, "/proc/net/ip_vs_conn"))
    result = run.run(director, step)
    if not result.ok:
        return []
    return [
        connection
        for connection in parse.parse_connections(result.stdout)
        if connection.virtual.address == service.vip
    ]


def _counters(
    run: Run, director: Session, service: VirtualService, *, wait: int = 0
) -> dict[str, Stats]:
    key: ServiceKey = declared.key_of(service)
    words = render.service_words(key).split()
    command = ("ipvsadm", "-Ln", "--stats", "--exact", *words)
    if wait:
        command = ("sh", "-c", 'sleep "$1"; shift; exec "$@"', "evenkeel", str(wait), *command)
    step = Step(_("Read the counters"), command)
    result = run.run(director, step)
    if not result.ok:
        raise Refusal(
            "not-there",
            _("%(machine)s: %(service)s is not in the table"),
            {"machine": director.machine, "service": service.address},
            said=result.stderr,
            remedy=_("Look at the planned changes of this service and apply them first."),
        )
    section = parse.parse_stats(result.stdout).get(key)
    return {str(server): row for server, row in section.rows.items()} if section else {}
