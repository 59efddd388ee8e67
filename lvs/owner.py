"""Who answers for a VIP: asked on the clients' network, compared with the director, named."""

from __future__ import annotations

from typing import Any

from console.execution import Refusal, Run
from console.models import Host
from console.planning import Step
from console.planning import mark as _
from console.remote.session import Session
from lvs.models import VirtualService
from lvs.probe import owner
from lvs.probe.owner import Heard
from lvs.probe.paths import Paths
from lvs.probe.reading import ARGV, IncompleteProof


def listen(run: Run, service: VirtualService, on_client: Session) -> Heard:
    """Ask on the clients' network who has the VIP."""
    step = Step(
        _("Ask who answers for the VIP"),
        ARGV,
        stdin=owner.neighbour_script(service.vip),
        timeout=60,
    )
    result = run.run(on_client, step)
    try:
        return owner.read_heard(result.stdout, result.stderr)
    except IncompleteProof as error:
        raise Refusal(
            "not-heard",
            _("%(machine)s: it could not be asked who answers for the VIP"),
            {"machine": on_client.machine},
            said=f"{error}\n{result.stderr}",
            remedy=_("The client needs Python 3, and the right to listen: root, or sudo."),
        ) from error


def judge(heard: Heard, found: Paths) -> dict[str, Any]:
    """The proof's part about it: who answered, and which of them is not the director."""
    state = heard.state(found.macs)
    return {
        "state": state,
        "tries": owner.TRIES,
        "answers": [
            {
                "mac": mac,
                "tries": tries,
                "is_director": mac in found.macs,
                "who": "" if mac in found.macs else _name_of(mac, found),
            }
            for mac, tries in sorted(heard.answers.items())
        ],
    }


def _name_of(mac: str, found: Paths) -> str:
    """Whose address it is: a real server that the director sees, a known host, or ""."""
    servers = [address for address, known in found.neighbours.items() if known == mac]
    if servers:
        return servers[0]
    for name, preflight in Host.objects.values_list("name", "preflight"):
        interfaces = (preflight.get("facts") or {}).get("network", {}).get("interfaces") or ()
        if any(one.get("mac", "").lower() == mac for one in interfaces):
            return str(name)
    return ""
