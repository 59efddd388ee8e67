"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from console.metrics import writing
from lvs.measures import DIRECTOR, SERVER, SERVICE
from lvs.models import VirtualService
from tests.app import lvs_scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> VirtualService:
    """Counted just now; its second real server by DR."""
    service = lvs_scene.shop(lvs_scene.director())
    now = timezone.now().timestamp()
    first, second = service.real_servers.all()
    writing.record(DIRECTOR, now, {service.director_id: [9, 8, 7, 6, 5, 4, 3, 4096]}, 90)
    writing.record(SERVICE, now, {service.pk: [100, 600, 500, 70_000, 800_000, 3, 2]}, 90)
    writing.record(
        SERVER,
        now,
        {first.pk: [60, 1, 2, 3, 4, 5, 6], second.pk: [40, 1, None, 3, None, 5, 6]},
        90,
    )
    return service


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    return {
        (one.name, *(value for _name, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_counters_of_services_and_real_servers_with_their_names(
    api: Callable[..., APIClient], shop: VirtualService
) -> None:
    answer = api("auditor", scopes=["read"]).get("/metrics")
    found = samples(answer.content.decode())
    service = ("lb1", "80", "tcp", "shop", "10.10.0.50")
    assert found["evenkeel_virtual_service_connections_total", *service] == 100
    assert found["evenkeel_virtual_service_out_bytes_total", *service] == 800_000
    assert found["evenkeel_virtual_service_active_connections", *service] == 3
    first, second = ((*service[:3], f"10.20.0.{number}:8080", *service[3:]) for number in (11, 12))
    assert found["evenkeel_real_server_connections_total", *first] == 60
    assert found["evenkeel_real_server_in_bytes_total", *second] == 3
    assert ("evenkeel_real_server_out_bytes_total", *second) not in found, "not seen is not zero"
    assert found["evenkeel_real_server_weight", *second] == 2
    assert found["evenkeel_director_connection_table_buckets", "lb1"] == 4096
    assert found["evenkeel_director_drift_lines", "lb1"] == 0


def test_what_was_not_read_lately_is_left_out(
    api: Callable[..., APIClient], shop: VirtualService
) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        found = samples(api("auditor").get("/metrics").content.decode())
    assert not [name for name in found if name[0].startswith("evenkeel_virtual_service_")]
    assert found["evenkeel_director_last_look_timestamp_seconds", "lb1"] > 0


def test_cost_is_bounded_and_an_answer_is_kept_for_a_moment(
    api: Callable[..., APIClient],
    shop: VirtualService,
    django_assert_max_num_queries: Any,
) -> None:
    program = api("auditor")
    program.get("/metrics")
    lvs_scene.shop(shop.director, 20, name="more", vip="10.10.0.60")
    cache.clear()
    with django_assert_max_num_queries(16):
        fresh = program.get("/metrics").content
    with django_assert_max_num_queries(4):
        assert program.get("/metrics").content == fresh


def test_a_known_network_needs_no_token_and_gets_nothing_else(
    settings: Any, shop: VirtualService
) -> None:
    assert Client().get("/metrics").status_code == 401
    settings.METRICS_NETWORKS = ["192.0.2.0/24", "127.0.0.0/8", "::1/128"]
    assert Client().get("/metrics").status_code == 200
    assert Client(REMOTE_ADDR="198.51.100.1").get("/metrics").status_code == 401
    assert Client().get("/api/v1/hosts/").status_code == 401
