"""The readers on what ipvsadm 1.31 and a 6.1 kernel really printed, and on broken text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lvs.ipvsadm import parse
from lvs.ipvsadm.parse import ParseError
from lvs.ipvsadm.render import render_table
from lvs.ipvsadm.types import (
    Connections,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Rates,
    Service,
    ServiceKey,
    Stats,
    SyncDaemon,
    Timeouts,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    Version,
)
from tests.unit.captured import captured, ipvsadm, kernel

WEB = ServiceKey.of("tcp", "10.10.0.51", 80)
MIXED = ServiceKey.of("tcp", "10.10.0.60", 80)
KEYS = [
    WEB,
    MIXED,
    ServiceKey.of("tcp", "10.10.0.61", 443),
    ServiceKey.of("tcp", "10.10.0.62", 443),
    ServiceKey.of("tcp", "10.10.0.66", 0),
    ServiceKey.of("udp", "10.10.0.63", 53),
    ServiceKey.of("udp", "10.10.0.64", 5060),
    ServiceKey.of("sctp", "10.10.0.65", 99),
    ServiceKey.of("tcp", "fd00::60", 80),
    ServiceKey.of_mark(7),
    ServiceKey.of_mark(8, 6),
]
RS_11 = DestinationKey("10.20.0.11", 80)
RS_12 = DestinationKey("10.20.0.12", 80)
RS_13 = DestinationKey("10.30.0.13", 80)


def test_save_is_read_and_rendered_without_loss() -> None:
    text = ipvsadm("-S -n")
    table = parse.parse_save(text)
    assert list(table) == KEYS
    assert table[MIXED].service == Service.of(MIXED, "wlc", persistence=360, netmask=24)
    assert table[MIXED].destinations[RS_13] == Destination(
        RS_13,
        ForwardingMethod.TUNNEL,
        5,
        tunnel=Tunnel(TunnelType.GUE, 6080, TunnelChecksum.NONE),
    )
    assert "".join(f"{line}\n" for line in render_table(table)) == text


def test_save_with_names_is_refused() -> None:
    with pytest.raises(ParseError, match="read with -n") as error:
        parse.parse_save(ipvsadm("-S"))
    assert error.value.line_number == 1
    assert error.value.line == "-A -t 10.10.0.51:http -s rr -p 60"


def test_combined_readings_have_everything() -> None:
    texts = ipvsadm("-Ln --thresholds"), kernel("ip_vs"), ipvsadm("-S -n")
    sample = parse.combine_sample(*texts)
    assert sample.hz == 250
    assert list(sample.table) == KEYS
    limited = sample.table[WEB].destinations[RS_12]
    assert (limited.weight, limited.upper_threshold, limited.lower_threshold) == (1, 20, 10)
    assert sample.rows[WEB][RS_12].connections == Connections(4, 2)
    tunnelled = sample.table[MIXED].destinations[RS_13]
    assert tunnelled.tunnel == Tunnel(TunnelType.GUE, 6080)
    assert parse.combine(*texts) == sample.table


def test_a_tunnel_needs_the_save() -> None:
    texts = ipvsadm("-Ln --thresholds"), kernel("ip_vs")
    assert parse.needs_save(*texts)
    with pytest.raises(parse.SaveRequired):
        parse.combine(*texts)


@pytest.mark.parametrize("arguments", ["-Ln", "-Ln --sort", "-Ln --nosort"])
def test_listing(arguments: str) -> None:
    listing = parse.parse_listing(ipvsadm(arguments))
    assert set(listing) == set(KEYS)
    saved = parse.parse_save(ipvsadm("-S -n"))
    for key, (service, rows) in listing.items():
        assert service == saved[key].service
        assert {server: (row.forwarding, row.weight) for server, row in rows.items()} == {
            server: (one.forwarding, one.weight) for server, one in saved[key].destinations.items()
        }


def test_listing_of_one_service_has_no_banner() -> None:
    listing = parse.parse_listing(ipvsadm("-Ln -t 10.10.0.51:80"))
    assert listing[WEB].rows[RS_12].connections == Connections(4, 2)


def test_tunnels() -> None:
    rows = parse.parse_tunnels(ipvsadm("-Ln --tun-info"))
    assert rows[MIXED].rows[RS_13].tunnel == Tunnel(TunnelType.GUE, 6080, TunnelChecksum.NONE)
    assert rows[MIXED].rows[RS_12].tunnel is None
    assert rows[KEYS[8]].rows[RS_11].tunnel == Tunnel()


def test_tunnel_kinds_of_a_transcript() -> None:
    text = (
        "Prot LocalAddress:Port Scheduler Flags\n"
        "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
        "TCP  10.10.0.53:80 rr\n"
        "  -> 10.20.0.11:80                Tunnel  gue:6080:r+c  1      0          3         \n"
        "  -> 10.30.0.13:80                Tunnel  gre:+c        1      0          3         \n"
    )
    ((_, rows),) = parse.parse_tunnels(text).values()
    assert [row.tunnel for row in rows.values()] == [
        Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE),
        Tunnel(TunnelType.GRE, 0, TunnelChecksum.FULL),
    ]


def test_counters_and_rates() -> None:
    stats = parse.parse_stats(ipvsadm("-Ln --stats --exact"))
    assert list(stats) == KEYS
    assert stats[WEB].head == Stats(4, 8, 0, 480, 0)
    assert stats[WEB].rows[RS_11] == Stats(0, 0, 0, 0, 0)
    one = parse.parse_stats(ipvsadm("-Ln -t 10.10.0.51:80 --stats --exact"))
    assert one[WEB].rows[RS_12] == Stats(4, 8, 0, 480, 0)
    rates = parse.parse_rate(ipvsadm("-Ln --rate --exact"))
    assert rates[WEB].head == Rates(0, 1, 0, 36, 0)


def test_proc_tells_what_it_does_not_know() -> None:
    sections = parse.parse_proc(kernel("ip_vs"))
    by_key = {section.key or section.fwmark: section for section in sections}
    assert set(by_key) == {key.fwmark or key for key in KEYS}
    assert by_key[7].jiffies == 7500
    assert by_key[KEYS[8]].one_packet is None
    assert by_key[KEYS[5]].one_packet is True
    assert by_key[MIXED].mask == "FFFFFF00"


def test_connections_of_the_kernel() -> None:
    found = parse.parse_connections(kernel("ip_vs_conn"))
    assert len(found) == 10
    assert found[1].client == DestinationKey("10.10.0.100", 0)
    assert (found[1].state, found[1].expires, found[1].pe) == ("ASSURED", 56, "")


def test_connection_with_an_engine_and_ipv6() -> None:
    text = (
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
        "UDP fd00:0000:0000:0000:0000:0000:0000:0064 13C4 "
        "fd00:0000:0000:0000:0000:0000:0000:0001 13C4 0A14000B 13C4 UDP             299 "
        "sip 9f2a@host\n"
    )
    (found,) = parse.parse_connections(text)
    assert found.client == DestinationKey("fd00::64", 5060)
    assert found.destination == DestinationKey("10.20.0.11", 5060)
    assert (found.pe, found.pe_data) == ("sip", "9f2a@host")


def test_totals_are_hexadecimal() -> None:
    totals, rates = parse.parse_totals(kernel("ip_vs_stats"))
    assert totals == Stats(0x394, 0x16E1, 0x1614, 0x50A4C, 0x78CAC)
    assert rates == Rates(0, 2, 2, 0x87, 0x94)


def test_short_listings() -> None:
    assert parse.parse_timeouts(ipvsadm("-L --timeout")) == Timeouts(800, 100, 200)
    assert parse.parse_version(ipvsadm("--version")) == Version((1, 31), (1, 2, 1))
    master, backup = parse.parse_daemons(ipvsadm("-L --daemon"))
    assert master == SyncDaemon("master", "eth2", 7, 1472, "224.0.0.81", 8848, 1)
    assert backup.role == "backup"
    assert parse.parse_daemons("") == ()
    assert parse.parse_daemons("backup sync daemon (mcast=eth0, syncid=0)\n") == (
        SyncDaemon("backup", "eth0", 0),
    )


READERS: list[tuple[Callable[[str], object], str]] = [
    (parse.parse_save, "ipvsadm_-S_-n_cut"),
    (parse.parse_thresholds, "ipvsadm_-Ln_--thresholds_cut"),
    (parse.parse_proc, "proc_net_ip_vs_heading_cut"),
    (parse.parse_stats, "ipvsadm_-Ln_--stats_rounded"),
    (parse.parse_listing, "ipvsadm_not_root"),
    (parse.parse_save, "ipvsadm_not_root"),
    (parse.parse_timeouts, "ipvsadm_not_root"),
    (parse.parse_version, "ipvsadm_not_root"),
    (parse.parse_daemons, "ipvsadm_not_root"),
    (parse.parse_connections, "ipvsadm_not_root"),
    (parse.parse_totals, "ipvsadm_not_root"),
]


@pytest.mark.parametrize(("read", "name"), READERS)
def test_broken_output_is_refused(read: Callable[[str], object], name: str) -> None:
    with pytest.raises(ParseError):
        read(captured(f"broken_{name}"))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (parse.parse_listing, ipvsadm("-Ln --thresholds")),
        (parse.parse_thresholds, ipvsadm("-Ln")),
        (parse.parse_stats, ipvsadm("-Ln --rate --exact")),
        (parse.parse_proc, ipvsadm("-Ln --stats")),
        (parse.parse_tunnels, ""),
        (parse.parse_proc, ""),
    ],
)
def test_another_listing_is_refused(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ParseError):
        read(text)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("  -> 10.20.0.11:80                0          0          0", "not understood"),
        ("  -> 10.20.0.11                   0          0          0          0", "numeric"),
        ("TCP  10.10.0.51:80 rr", "listed twice"),
        ("TCP  10.10.0.99:80 rr persistent 60 colour blue", "'colour'"),
        ("ICMP 10.10.0.99:80 rr", "not understood"),
        ("", "not understood"),
    ],
)
def test_an_unknown_line_is_quoted_with_its_number(line: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as error:
        parse.parse_thresholds(ipvsadm("-Ln --thresholds") + line + "\n")
    assert error.value.line == line
    assert error.value.line_number == 24


def test_an_unknown_line_of_proc_is_quoted() -> None:
    with pytest.raises(ParseError) as error:
        parse.parse_proc(kernel("ip_vs") + "FWM  00000009 rr sometimes\n")
    assert (error.value.line_number, error.value.line) == (24, "FWM  00000009 rr sometimes")


@pytest.mark.parametrize(
    ("lines", "rendered"),
    [
        # What ipvsadm does not say is the default.
        (["-A -t 10.0.0.1:80"], ["-A -t 10.0.0.1:80 -s wlc"]),
        (["-A -t 10.0.0.1:0 -p"], ["-A -t 10.0.0.1:0 -s wlc -p 360"]),
        (
            ["-A -u 10.0.0.1:53 -s sh -b flag-2,flag-1"],
            ["-A -u 10.0.0.1:53 -s sh -b sh-fallback,sh-port"],
        ),
        # flag-3 means nothing under sh, and is printed as an empty -b.
        (["-A -t 10.0.0.1:80 -s sh -b "], ["-A -t 10.0.0.1:80 -s sh"]),
        # Marks above 2147483647 are printed as negative numbers.
        (["-A -f -1 -s rr"], ["-A -f 4294967295 -s rr"]),
        # Without persistence, mask and engine mean nothing.
        (["-A -t 10.0.0.1:80 -s rr -M 255.0.0.0 --pe sip"], ["-A -t 10.0.0.1:80 -s rr"]),
        (["-A -t [FD00:0::1]:80 -s rr -p 9 -M 128"], ["-A -t [fd00::1]:80 -s rr -p 9"]),
        # Long options, and a server without a port.
        (
            ["--add-service --tcp-service 10.0.0.1:80 --scheduler rr",
             "--add-server --tcp-service 10.0.0.1:80 --real-server 10.1.0.1 --masquerading"],
            ["-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1"],
        ),
        # Route and tunnel take the port of the service, by mark they keep their own.
        (
            ["-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -g"],
            ["-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1"],
        ),
        (
            ["-A -f 7 -s rr", "-a -f 7 -r 10.1.0.1:8080 -g"],
            ["-A -f 7 -s rr", "-a -f 7 -r 10.1.0.1:8080 -g -w 1"],
        ),
        # An edit resets what it does not say.
        (
            ["-A -t 10.0.0.1:80 -s rr -p 60", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 5 -x 10 -y 5",
             "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -w 0", "-E -t 10.0.0.1:80"],
            ["-A -t 10.0.0.1:80 -s wlc", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 0"],
        ),
        # Applied in order; a blank line is accepted.
        (
            ["-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m", "",
             "-d -t 10.0.0.1:80 -r 10.1.0.1:80", "-A -f 1 -s rr", "-D -t 10.0.0.1:80"],
            ["-A -f 1 -s rr"],
        ),
        # A bare IPv6 server, without brackets and port.
        (
            ["-A -f 7 -6 -s rr", "-a -f 7 -6 -r fd00::5 -i --tun-type gre"],
            ["-A -f 7 -6 -s rr", "-a -f 7 -6 -r [fd00::5]:0 -i -w 1 --tun-type gre --tun-nocsum"],
        ),
    ],
)  # fmt: skip
def test_replay_follows_ipvsadm(lines: list[str], rendered: list[str]) -> None:
    assert render_table(parse.replay(lines)) == rendered


@pytest.mark.parametrize(
    "line",
    [
        "-C",
        "--set 1 2 3",
        "# comment",
        "-A -s rr",
        "-A -t 10.0.0.1:80 -s",
        "-A -t 10.0.0.1:80 -s rr -s wlc",
        "-A -t 10.0.0.1:80 -w 1",
        "-A -t 10.0.0.1:80 banana",
        "-A -t 10.0.0.300:80",
        "-A -t 10.0.0.1:70000",
        "-A -t fd00::1:80",
        "-A -t [fd00::1] -s rr",
        "-A -t [10.0.0.1]:80 -s rr",
        "-A -t 10.0.0.9:80 -s rr",
        "-A -t 10.0.0.1:80 -s rr -p soon",
        "-A -t 10.0.0.1:80 -s rr -p 60 -M 33",
        "-A -f 0 -s rr",
        "-a -t 10.0.0.9:80",
        "-a -t 10.0.0.9:80 -r 10.1.0.9:80 -m",
        "-a -t 10.0.0.9:80 -r 10.1.0.1:80 -m --tun-type gue",
        "-a -t 10.0.0.9:80 -r 10.1.0.1:80 -i --tun-type wire",
        "-e -t 10.0.0.9:80 -r 10.1.0.1:80 -m",
        "-d -t 10.0.0.9:80 -r 10.1.0.1:80",
        "-d -t 10.0.0.9:80 -r 10.1.0.9:80 -m",
        "-D -t 10.0.0.1:80",
        "-E -t 10.0.0.1:80 -s rr",
    ],
)
def test_replay_refuses_what_ipvsadm_would_refuse(line: str) -> None:
    there = ["-A -t 10.0.0.9:80 -s rr", "-a -t 10.0.0.9:80 -r 10.1.0.9:80 -m"]
    with pytest.raises(ParseError) as error:
        parse.replay([*there, line])
    assert (error.value.line_number, error.value.line) == (3, line)
