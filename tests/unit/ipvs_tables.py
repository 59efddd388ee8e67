"""Random IPVS tables for the property tests: small pools, so that pairs of tables overlap."""

from __future__ import annotations

from hypothesis import strategies as st

from lvs.ipvsadm.types import (
    Destination,
    ForwardingMethod,
    Service,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualEntry,
    table_of,
)

VIPS = ("10.0.0.1", "203.0.113.9", "192.0.2.254", "2001:db8::1", "fd00:0:0:1::", "::ffff:10.0.0.1")
RIPS_4 = ("10.1.0.1", "10.1.0.2", "192.168.7.9", "172.31.255.254")
RIPS_6 = ("fd00:1::11", "2001:db8:0:0:1::2")
FLAGS = {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}
SCHEDULERS = ("rr", "wrr", "wlc", "sh", "mh", "fo")

weights = st.sampled_from((0, 1, 2, 100, 65535, 2**31 - 1))
thresholds = st.sampled_from(((0, 0), (1, 0), (20, 10), (20, 20), (2**31 - 1, 0)))
tunnels = st.one_of(
    st.just(Tunnel()),
    st.builds(
        Tunnel,
        st.just(TunnelType.GUE),
        st.sampled_from((1, 6080, 65535)),
        st.sampled_from(TunnelChecksum),
    ),
    st.builds(
        Tunnel,
        st.just(TunnelType.GRE),
        st.just(0),
        st.sampled_from((TunnelChecksum.NONE, TunnelChecksum.FULL)),
    ),
)
service_keys = st.one_of(
    st.builds(
        ServiceKey.of,
        st.sampled_from(("tcp", "udp", "sctp")),
        st.sampled_from(VIPS),
        st.sampled_from((0, 80, 65535)),
    ),
    st.builds(ServiceKey.of_mark, st.sampled_from((1, 7, 2**32 - 1)), st.sampled_from((4, 6))),
)


@st.composite
def services(draw: st.DrawFn, key: ServiceKey) -> Service:
    """A service that ipvsadm accepts."""
    scheduler = draw(st.sampled_from(SCHEDULERS))
    flags = FLAGS.get(scheduler, ("flag-1", "flag-2", "flag-3"))
    must_persist = not key.fwmark and not key.port
    persistence = draw(st.sampled_from((1, 300, 2678400) + (() if must_persist else (None,))))
    masks: tuple[str | int, ...] = (
        ("", "255.255.255.0", 25, 0) if key.family == 4 else ("", "64", 128, 1)
    )
    return Service.of(
        key,
        scheduler,
        sched_flags=draw(st.sets(st.sampled_from(flags))) if draw(st.booleans()) else (),
        persistence=persistence,
        netmask=draw(st.sampled_from(masks)),
        pe=draw(st.sampled_from(("", "", "sip"))),
        one_packet=draw(st.booleans()) if key.protocol in ("udp", "fwmark") else False,
    )


@st.composite
def destinations(draw: st.DrawFn, key: ServiceKey) -> Destination:
    """A real server that ipvsadm accepts under the service."""
    method = draw(st.sampled_from(ForwardingMethod))
    pool: tuple[str, ...] = RIPS_4 if key.family == 4 else RIPS_6
    if method is ForwardingMethod.TUNNEL:
        pool = RIPS_4 + RIPS_6
    upper, lower = draw(thresholds)
    return Destination.of(
        key,
        draw(st.sampled_from(pool)),
        draw(st.sampled_from((None, 80, 8080))),
        method,
        weight=draw(weights),
        upper_threshold=upper,
        lower_threshold=lower,
        tunnel=draw(tunnels) if method is ForwardingMethod.TUNNEL else None,
    )


@st.composite
def entries(draw: st.DrawFn) -> VirtualEntry:
    """A service with up to four real servers."""
    key = draw(service_keys)
    servers = st.lists(destinations(key), max_size=4, unique_by=lambda one: one.key)
    return VirtualEntry.of(draw(services(key)), draw(servers))


tables = st.lists(entries(), max_size=6, unique_by=lambda one: one.service.key).map(table_of)


@st.composite
def changed(
    draw: st.DrawFn, table: dict[ServiceKey, VirtualEntry]
) -> dict[ServiceKey, VirtualEntry]:
    """A table near the given one: some services gone, some changed, some new."""
    result = draw(tables)
    for key, entry in table.items():
        fate = draw(st.sampled_from(("same", "same", "gone", "service", "servers", "weights")))
        if fate == "same":
            result[key] = entry
        elif fate == "service":
            result[key] = VirtualEntry(draw(services(key)), entry.destinations)
        elif fate == "servers":
            more = draw(st.lists(destinations(key), max_size=3, unique_by=lambda one: one.key))
            kept = {k: one for k, one in entry.destinations.items() if draw(st.booleans())}
            result[key] = VirtualEntry(entry.service, kept | {one.key: one for one in more})
        elif fate == "weights":
            edited = {
                k: one._replace(weight=draw(weights)) for k, one in entry.destinations.items()
            }
            result[key] = VirtualEntry(entry.service, edited)
    return result


#: (observed, desired, owned)
Situation = tuple[dict[ServiceKey, VirtualEntry], dict[ServiceKey, VirtualEntry], set[ServiceKey]]


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Two tables near each other; owned has every desired key and some of the others."""
    observed = draw(tables)
    desired = draw(changed(observed))
    owned = set(desired) | {key for key in observed if draw(st.booleans())}
    return observed, desired, owned
