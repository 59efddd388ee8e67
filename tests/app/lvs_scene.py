"""Directors and services as they were seen, written straight to the database, and how the
tests of their pages read those."""

from __future__ import annotations

import itertools
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.models import Host
from lvs.ipvsadm.listing import Listed
from lvs.ipvsadm.parse import parse_save
from lvs.ipvsadm.types import Connections, DestinationKey, ServiceKey
from lvs.models import Director, VirtualService
from tests import factories
from tests.app.pages import Page, get

LIVE = {"HX-Request": "true"}

#: What a look around a director with pub0 for VIPs and int0 for real servers found.
SURROUNDINGS: dict[str, Any] = {
    "kernel": "6.1.0-test",
    "addresses": {
        "lo": ["127.0.0.1/8"],
        "pub0": ["10.10.0.1/24", "10.10.0.50/32"],
        "int0": ["10.20.0.1/24"],
    },
    "forwards_ipv4": True,
}
SHOP = [
    "-A -t 10.10.0.50:80 -s wlc",
    "-a -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 1",
    "-a -t 10.10.0.50:80 -r 10.20.0.12:8080 -m -w 2",
]
MAIL = ["-A -t 10.10.0.99:25 -s rr", "-a -t 10.10.0.99:25 -r 10.20.0.9:25 -g -w 3"]


def counts(lines: list[str]) -> dict[ServiceKey, dict[DestinationKey, Listed]]:
    """1 active and 2 inactive connections on the first real server of a table, 3 and 4 on the
    second, and so on."""
    numbers = itertools.count(1)
    return {
        key: {
            one.key: Listed(one.forwarding, one.weight, Connections(next(numbers), next(numbers)))
            for one in entry.destinations.values()
        }
        for key, entry in parse_save("".join(f"{line}\n" for line in lines)).items()
    }


def director(name: str = "lb1", lines: list[str] | None = None, **fields: Any) -> Director:
    """A director whose table was seen with these lines."""
    found = factories.DirectorFactory.build(
        host=factories.HostFactory.create(name=name),
        vip_interface="pub0",
        observed_facts=SURROUNDINGS,
        observed_whole_at=timezone.now(),
        **fields,
    )
    found.set_observed_lines(SHOP if lines is None else lines)
    found.set_observed_counts(counts(found.observed_lines))
    found.table_size = len(found.observed_lines)
    found.save()
    return found


def shop(on: Director, servers: int = 2, **fields: Any) -> VirtualService:
    """The applied service that SHOP has, with so many real servers declared."""
    service = factories.VirtualServiceFactory.create(
        **{
            "director": on,
            "name": "shop",
            "vip": "10.10.0.50",
            "port": 80,
            "provisioning_status": "active",
            "applied_generation": 1,
        }
        | fields
    )
    for number in range(servers):
        factories.RealServerFactory.create(
            virtual_service=service, rip=f"10.20.0.{11 + number}", weight=1 + number % 2
        )
    return service


def ready_host(name: str, **fields: Any) -> Host:
    """A host whose preflight says that it can be a director, with two interfaces."""
    return factories.HostFactory.create(
        name=name,
        preflight={
            "facts": {
                "ipvs": {"schedulers": ["rr", "wrr", "wlc", "sh"]},
                "network": {
                    "interfaces": [
                        {"name": "lo", "addresses": [{"ip": "127.0.0.1", "prefix": 8}]},
                        {"name": "pub0", "addresses": [{"ip": "10.10.0.1", "prefix": 24}]},
                        {"name": "int0", "addresses": []},
                    ]
                },
            },
            "findings": [],
            "roles": {"director": "ready"},
        },
        **fields,
    )


def queries(client: Client, path: str) -> int:
    """How many a page costs once sessions and translations are warm."""
    get(client, path)
    with CaptureQueriesContext(connection) as found:
        get(client, path)
    return len(found)


def part(client: Client, path: str, name: str = "live") -> Page:
    return get(client, path, {"part": name}, headers=LIVE)


def marked(page: Page) -> set[str]:
    """The names of the controls that are marked as wrong."""
    controls = [*page.all("input"), *page.all("select")]
    found = {one["name"] for one in controls if "is-invalid" in one.get("class", "").split()}
    sets = page.all("fieldset", class_="is-invalid")
    return found | {one["aria-describedby"].removeprefix("id_").removesuffix("-errors")
                    for one in sets}  # fmt: skip
