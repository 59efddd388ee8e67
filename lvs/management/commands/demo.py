"""`manage.py demo`: onboard the machines of the rack and serve something through them.

Calls the same verbs as pages and API, waits for the workers, and prints what came of it.
Safe to run again: what is there is left as it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from console.access import Actor
from console.actions import credentials, hosts
from console.commands import ConsoleCommand
from console.models import Credential, Host, Operation
from lvs.actions import directors, virtual_services
from lvs.models import Director, VirtualService

#: The machines that the demo declares; rtr is only a router.
_MACHINES = ("hv1", "lb1", "lb2", "rs1", "rs2", "client")
_SERVICES: tuple[dict[str, Any], ...] = (
    {
        "name": "web",
        "vip": "10.10.0.50",
        "port": 80,
        "scheduler": "wrr",
        "real_servers": [
            {"rip": "10.20.0.11", "port": 8080, "weight": 2},
            {"rip": "10.20.0.12", "port": 80, "weight": 1},
        ],
    },
    {
        "name": "dns",
        "protocol": "udp",
        "vip": "10.10.0.50",
        "port": 53,
        "scheduler": "rr",
        "real_servers": [
            {"rip": "10.20.0.11", "port": 53},
            {"rip": "10.20.0.12", "port": 53},
        ],
    },
    {
        "name": "web-direct",
        "vip": "10.10.0.80",
        "port": 80,
        "forwarding": "route",
        "scheduler": "rr",
        "real_servers": [
            {"rip": "10.20.0.11", "port": 80},
            {"rip": "10.20.0.12", "port": 80},
        ],
    },
)


class Command(ConsoleCommand):
    help = "Onboard the machines of the rack (make lab) and serve something through them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rack", type=int, default=0, help="the number of the rack")

    def handle(self, *args: Any, **options: Any) -> None:
        self._began = time.monotonic()
        actor = self.actor()
        nodes = self._nodes(options["rack"])
        self._onboard(actor, nodes)
        director = self._director(actor)
        services = self._serve(actor, director)
        proofs = [self._prove(actor, service) for service in services]
        self._tell(services, proofs)

    def _say(self, text: str) -> None:
        self.stdout.write(f"[demo] {time.monotonic() - self._began:3.0f} s  {text}")
        self.stdout.flush()

    def _nodes(self, rack: int) -> dict[str, dict[str, Any]]:
        answer = subprocess.run(  # noqa: S603  a number, and words of ours
            [sys.executable, "-m", "lab", "--instance", str(rack), "status", "--json"],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise CommandError(f"The rack is not up: {answer.stderr.strip()}\nStart it: make lab")
        return {node["name"]: node for node in json.loads(answer.stdout)}

    def _onboard(self, actor: Actor, nodes: dict[str, dict[str, Any]]) -> None:
        credential = self._credential(actor, nodes["lb1"])
        scans: list[tuple[Host, Operation]] = []
        for name in _MACHINES:
            node = nodes[name]
            host = Host.objects.filter(name=name).first()
            if host is None:
                scans.append(
                    hosts.create_host(
                        actor,
                        name=name,
                        address=node["address"],
                        port=node["port"],
                        username=node["user"],
                        credential=credential,
                    )
                )
            elif host.trust != Host.Trust.PINNED or host.host_key != node["host_key"]:
                scans.append((host, hosts.request_key_scan(actor, host)))
        preflights = []
        for host, scan in scans:
            self.finished(scan)
            host.refresh_from_db()
            preflights.append(self._accept(actor, host, nodes[host.name]["host_key"]))
        for operation in preflights:
            self.finished(operation)
            self._say(f"{operation.target_label}: key compared and accepted, preflight done")

    def _credential(self, actor: Actor, node: dict[str, Any]) -> Credential:
        secret = Path(node["key_path"]).read_text()
        credential = Credential.objects.filter(name="rack").first()
        if credential is None:
            return credentials.create_credential(actor, name="rack", kind="key", secret=secret)
        if credential.secret != secret:
            credentials.update_credential(actor, credential, secret=secret)
        return credential

    def _accept(self, actor: Actor, host: Host, host_key: str) -> Operation:
        """Accept the key as a person would: only if it is the machine's own."""
        if host.offered_key != host_key:
            raise CommandError(f"{host.name} does not show the key that the rack gave it.")
        return hosts.accept_key(actor, host, fingerprint=host.offered_fingerprint)

    def _director(self, actor: Actor) -> Director:
        director = Director.objects.filter(host__name="lb1").first()
        if director is not None:
            return director
        director, operation = directors.create_director(
            actor,
            host=Host.objects.get(name="lb1"),
            vip_interface="pub0",
            probe_host=Host.objects.get(name="client"),
        )
        self.finished(operation)
        self._say("lb1 is a director; its table has been read")
        return director

    def _serve(self, actor: Actor, director: Director) -> list[VirtualService]:
        services = []
        for values in _SERVICES:
            service = VirtualService.objects.filter(director=director, name=values["name"]).first()
            if service is None:
                service, _none = virtual_services.create_virtual_service(
                    actor, director=director, **values
                )
            services.append(service)
        operation = self.finished(directors.request_apply(actor, director))
        self._say(f"declared and applied: {operation.result.get('lines', 0)} lines of ipvsadm")
        return services

    def _prove(self, actor: Actor, service: VirtualService) -> dict[str, Any]:
        service.refresh_from_db()
        self.finished(virtual_services.request_proof(actor, service))
        service.refresh_from_db()
        proof = service.proof
        self._say(
            f"{service.name} {service.get_protocol_display()} {service.address}:"
            f" {proof['verdict']}, answered by {', '.join(proof['answered']) or 'nobody'}"
        )
        return proof

    def _tell(self, services: list[VirtualService], proofs: list[dict[str, Any]]) -> None:
        served = sum(proof["verdict"] == "proved" for proof in proofs)
        self.stdout.write(
            f"\n{served} of {len(services)} virtual services answer through lb1, with real"
            " packets.\n"
            "What to look at:\n"
            "  Virtual services → web     the drawn path; press Prove it; change a weight, look\n"
            "                             at the planned changes, apply\n"
            "  make lab-shell NODE=lb1    then: ipvsadm -Ln; change something by hand there, and\n"
            "                             watch the director's page show the drift within 30 s\n"
            "  Hosts → hv1                the preflight of a hypervisor, in words\n"
        )
        if served < len(services):
            raise CommandError("Not every virtual service answers; its page says why.")
