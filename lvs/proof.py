"""“Prove it”: requests through the VIP from outside, each real server alone through its path,
and who answers for the VIP on the clients' network."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from console.execution import Refusal, Run
from lvs import declared, outside, owner, proof_alerts, proving, through
from lvs.models import VirtualService
from lvs.pinned import require_pinned

#: Everything that a part of a proof may add; parts that were not made are absent.
_NO_REQUESTS: dict[str, Any] = {
    "answered": [],
    "silent": [],
    "unasked": [],
    "sent": 0,
    "failed": 0,
    "requests": [],
    "counters": {},
}


def prove(run: Run) -> dict[str, Any]:
    """The body of `virtual_service.prove`: its result says who answered and who did not.

    The operation succeeds when the proof could be made; whether the VIP serves is in the
    result's "verdict": proved, partial, failed, or reached where nobody asked from outside.
    """
    service = _service_of(run)
    director = service.director
    require_pinned(director.host)
    proving.wait_for_turn(run, director)
    on_director = run.session(director.host)
    expected = [
        str(server.key)
        for server in declared.entry_of(service, service.real_servers.all()).destinations.values()
        if server.weight > 0
    ]
    kept: dict[str, Any] = {"client": "", "verdict": "", **_NO_REQUESTS}
    client, heard = "", None
    if director.probe_host is not None:
        require_pinned(director.probe_host)
        on_client = run.session(director.probe_host)
        asked, said = outside.ask(run, service, on_client, on_director, expected)
        client = asked.client
        kept |= said | {"client": director.probe_host.name}
        run.progress(50)
        heard = owner.listen(run, service, on_client)
        client = client or heard.own
    found, kept["paths"] = through.probe(run, service, on_director, client)
    if heard is not None:
        kept["owner"] = owner.judge(heard, found)
    kept["verdict"] = verdict(kept, expected)
    proof_alerts.follow(service, kept, unreached_of(kept, expected))
    VirtualService.objects.filter(pk=service.pk).update(proof=kept, proved_at=timezone.now())
    return {
        "verdict": kept["verdict"],
        "answered": kept["answered"],
        "unreached": kept["paths"]["unreached"],
    }


def verdict(kept: dict[str, Any], expected: list[str]) -> str:
    """What all parts of a proof come to. What was seen from outside counts more than what
    the director saw: its own way to a real server is not the clients' in every respect."""
    unreached = unreached_of(kept, expected)
    if not kept["client"]:
        if expected and len(unreached) == len(expected):
            return "failed"
        return "partial" if unreached else "reached"
    is_stolen = kept.get("owner", {}).get("state") == "stolen"
    if kept["verdict"] == "proved" and (unreached or is_stolen):
        return "partial"
    return str(kept["verdict"])


def unreached_of(kept: dict[str, Any], expected: list[str]) -> list[str]:
    """Real servers with weight that neither the director nor a client got an answer from."""
    return sorted(set(kept["paths"]["unreached"]) & set(expected) - set(kept["answered"]))


def _service_of(run: Run) -> VirtualService:
    service = (
        VirtualService.objects.select_related(
            "director__host__credential",
            "director__host__jump_host__credential",
            "director__probe_host__credential",
        )
        .filter(pk=run.operation.target_id)
        .first()
    )
    if service is None:
        raise Refusal.gone(run.operation)
    return service
