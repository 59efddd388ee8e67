"""Connections as they were counted: one service is read without all the others."""

from __future__ import annotations

import pytest

from lvs.ipvsadm.types import ServiceKey
from lvs.models import Director
from tests.app import lvs_scene

pytestmark = pytest.mark.django_db


def test_part_of_one_service_is_that_of_the_whole() -> None:
    lines = [
        "-A -t 10.10.0.5:80 -s wlc",
        "-a -t 10.10.0.5:80 -r 10.10.0.50:80 -m -w 1",
        *lvs_scene.SHOP,
        "-A -t 10.10.0.50:8 -s wlc",
        "-A -t [2001:db8::50]:80 -s wlc",
        "-a -t [2001:db8::50]:80 -r [2001:db8::b]:80 -m -w 1",
    ]
    found = Director.objects.get(pk=lvs_scene.director(lines=lines).pk)
    whole = found.counts
    assert len(whole) == 4
    for protocol, address, port in (
        ("tcp", "10.10.0.5", 80), ("tcp", "10.10.0.50", 80), ("tcp", "10.10.0.50", 8),
        ("tcp", "2001:db8::50", 80),
    ):  # fmt: skip
        key = ServiceKey.of(protocol, address, port)
        assert found.counts_of(key) == whole[str(key)]
    assert found.counts_of(ServiceKey.of("udp", "10.10.0.50", 80)) == {}


def test_before_the_first_look_nothing_is_counted() -> None:
    assert Director().counts_of(ServiceKey.of("tcp", "10.10.0.50", 80)) == {}
