"""The canonical form: equal exactly when the kernel could not tell the values apart."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from lvs.ipvsadm.types import (
    Destination,
    DestinationKey,
    ForwardingMethod,
    Protocol,
    Service,
    ServiceKey,
    Tunnel,
    VirtualEntry,
    canonical_flags,
    canonical_netmask,
    table_of,
)

WEB = ServiceKey.of("tcp", "10.0.0.1", 80)


def test_keys_are_canonical_and_speak() -> None:
    key = ServiceKey.of("udp", "2001:DB8:0:0::1", 53)
    assert key == ServiceKey(Protocol.UDP, "2001:db8::1", 53, 0, 6)
    assert key == ServiceKey.of("udp", ip_address("2001:db8::1"), 53)
    assert str(key) == "UDP [2001:db8::1]:53"
    assert str(ServiceKey.of_mark(7)) == "fwmark 7"
    assert str(ServiceKey.of_mark(7, 6)) == "fwmark 7 IPv6"
    assert str(DestinationKey("10.0.0.1", 80)) == "10.0.0.1:80"
    assert len({WEB, ServiceKey.of("tcp", "10.0.0.1", 80), ServiceKey.of_mark(1)}) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: ServiceKey.of("icmp", "10.0.0.1", 80),
        lambda: ServiceKey.of("fwmark", "10.0.0.1", 80),
        lambda: ServiceKey.of("tcp", "10.0.0", 80),
        lambda: ServiceKey.of("tcp", "fe80::1%eth0", 80),
        lambda: ServiceKey.of("tcp", "10.0.0.1", 65536),
        lambda: ServiceKey.of_mark(0),
        lambda: ServiceKey.of_mark(2**32),
        lambda: ServiceKey.of_mark(1, 5),
        lambda: Destination.of(WEB, "10.1.0.1", -1, "masq"),
        lambda: Destination.of(WEB, "10.1.0.1", 80, "fullnat"),
        lambda: Service.of(WEB, persistence=60, netmask="255.255.0.256"),
        lambda: VirtualEntry.of(
            Service.of(WEB),
            [Destination.of(WEB, "10.1.0.1"), Destination.of(WEB, "10.1.0.1", 8080)],
        ),
        lambda: table_of([VirtualEntry.of(Service.of(WEB)), VirtualEntry.of(Service.of(WEB))]),
    ],
)
def test_what_has_no_canonical_form_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        make()


@pytest.mark.parametrize(
    ("service", "method", "typed", "stored"),
    [
        (WEB, "route", 8080, 80),
        (WEB, "tunnel", 8080, 80),
        (WEB, "masq", 8080, 8080),
        (WEB, "masq", None, 80),
        (ServiceKey.of_mark(7), "route", 8080, 8080),
        (ServiceKey.of_mark(7), "route", None, 0),
    ],
)
def test_the_port_is_the_one_that_ipvsadm_stores(
    service: ServiceKey, method: str, typed: int | None, stored: int
) -> None:
    assert Destination.of(service, "10.1.0.1", typed, method).key.port == stored


def test_a_tunnel_belongs_to_forwarding_by_tunnel() -> None:
    assert Destination.of(WEB, "10.1.0.1", forwarding="tunnel").tunnel == Tunnel()
    assert Destination.of(WEB, "10.1.0.1", forwarding="route", tunnel=Tunnel()).tunnel is None
    assert Destination.of(WEB, "10.1.0.1").forwarding is ForwardingMethod.ROUTE


def test_mask_and_engine_exist_only_with_persistence() -> None:
    assert Service.of(WEB, "rr", netmask=24, pe="sip") == Service(WEB, "rr")
    assert Service.of(WEB, "rr", persistence=1, netmask=24, pe="sip") == Service(
        WEB, "rr", (), 1, "255.255.255.0", "sip"
    )


@pytest.mark.parametrize(
    ("netmask", "family", "text"),
    [
        ("", 4, ""),
        (32, 4, ""),
        ("255.255.255.255", 4, ""),
        (0, 4, "0.0.0.0"),
        ("255.0.255.0", 4, "255.0.255.0"),
        ("", 6, ""),
        (128, 6, ""),
        ("064", 6, "64"),
    ],
)
def test_netmasks(netmask: str | int, family: int, text: str) -> None:
    assert canonical_netmask(netmask, family) == text


@pytest.mark.parametrize(
    ("netmask", "family"), [(33, 4), ("255.255", 4), (0, 6), (129, 6), ("ffff::", 6)]
)
def test_bad_netmasks(netmask: str | int, family: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_netmask(netmask, family)


@pytest.mark.parametrize(
    ("scheduler", "flags", "canonical"),
    [
        ("sh", ["sh-port", "sh-fallback"], ("sh-fallback", "sh-port")),
        ("mh", ["flag-2", "mh-fallback"], ("mh-fallback", "mh-port")),
        ("rr", ["flag-3", "flag-1"], ("flag-1", "flag-3")),
        ("rr", ["sh-port"], ("sh-port",)),
        ("rr", [], ()),
    ],
)
def test_flags(scheduler: str, flags: list[str], canonical: tuple[str, ...]) -> None:
    assert canonical_flags(scheduler, flags) == canonical
