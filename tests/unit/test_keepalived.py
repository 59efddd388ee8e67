"""keepalived.conf: read, written, expressed as a table, and what has no place in one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs.ipvsadm.render import render_table
from lvs.ipvsadm.types import ForwardingMethod, Tunnel, TunnelChecksum, TunnelType
from lvs.keepalived.errors import ConfigurationError
from lvs.keepalived.expand import Reader
from lvs.keepalived.parse import parse, read_range
from lvs.keepalived.render import render
from lvs.keepalived.table import table_of
from lvs.keepalived.tree import Statement
from lvs.keepalived.types import (
    Configuration,
    Group,
    Mark,
    Range,
    Server,
    VirtualServer,
    Vrrp,
)
from lvs.keepalived.wording import unexpressed
from tests.unit.captured import CAPTURES

FULL = (CAPTURES / "keepalived-2.2.7-full.conf").read_text()


def _lines(text: str) -> list[str]:
    return render_table(table_of(parse(text)).table)


def test_a_complete_file_is_understood_to_the_last_word() -> None:
    made = parse(FULL, "/etc/keepalived/keepalived.conf")
    assert made.problems == ()
    assert made.timeouts == (900, 60, 30)
    assert made.vrrp[0].addresses == (("10.0.0.50/32", "eth0"), ("fd00::50/128", "eth0"))
    expressed = table_of(made)
    assert expressed.problems == []
    lines = render_table(expressed.table)
    assert len(expressed.table) == 8
    for line in (
        "-a -t 10.0.0.53:80 -r 10.0.0.11:80 -g -w 10 -x 20000 -y 15000",
        "-A -t 10.0.0.50:443 -s mh -p 600 -M 255.255.255.0 -b mh-fallback,mh-port",
        "-a -t 10.0.0.50:443 -r 10.2.0.13:443 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
        "-A -u 10.0.0.50:53 -s sh -o -b sh-fallback,sh-port",
        "-a -f 7 -r 10.0.0.11:0 -g -w 1",
        "-A -t [fd00::50]:25 -s rr",
    ):
        assert line in lines


def test_what_a_complete_file_asks_for_beyond_a_table_is_told_with_its_lines() -> None:
    said = {problem.subject: problem for problem in unexpressed(parse(FULL))}
    assert {"HTTP_GET", "vrrp_instance", "lvs_sync_daemon", "sorry_server", "quorum",
            "quorum_up", "MISC_CHECK"} <= set(said)  # fmt: skip
    assert said["sorry_server"].params["lines"] == "58"
    assert not any(problem.code == "keepalived-unknown" for problem in said.values())
    assert all(problem.text() and problem.remedy_text() for problem in said.values())


words = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="\r"),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip() == text and text.isprintable())
keywords = st.sampled_from(("TCP_CHECK", "notify_up", "smtp_alert", "HTTP_GET", "digest"))
statements = st.recursive(
    st.builds(lambda key, rest: Statement((key, *rest)), keywords, st.lists(words, max_size=3)),
    lambda inner: st.builds(
        lambda key, children: Statement((key,), tuple(children)),
        keywords,
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
rests = st.lists(statements, max_size=2).map(tuple)
ports = st.sampled_from((0, 25, 80, 65535))
ranges = st.sampled_from(
    (("10.0.0.1", "10.0.0.1"), ("10.0.0.250", "10.0.1.3"), ("fd00::1", "fd00::ff"))
)
methods = st.sampled_from(
    (
        (None, None),
        (ForwardingMethod.MASQ, None),
        (ForwardingMethod.ROUTE, None),
        (ForwardingMethod.TUNNEL, Tunnel()),
        (ForwardingMethod.TUNNEL, Tunnel(TunnelType.GRE, 0, TunnelChecksum.FULL)),
        (ForwardingMethod.TUNNEL, Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE)),
    )
)


@st.composite
def servers(draw: st.DrawFn) -> Server:
    method, tunnel = draw(methods)
    return Server(
        draw(st.sampled_from(("10.1.0.1", "fd00:1::1"))),
        draw(ports),
        draw(st.sampled_from((None, 0, 7))),
        method,
        tunnel,
        draw(st.integers(0, 9)),
        draw(st.integers(0, 9)),
        draw(st.sampled_from((None, True, False))),
        draw(rests),
    )


@st.composite
def virtual_servers(draw: st.DrawFn) -> VirtualServer:
    method, tunnel = draw(methods)
    target = draw(
        st.one_of(
            st.builds(lambda pair, port: Range(pair[0], pair[0], port), ranges, ports),
            st.builds(Mark, st.integers(1, 2**32 - 1)),
            words,
        )
    )
    return VirtualServer(
        target,
        draw(st.sampled_from((0, 4, 6))),
        draw(st.sampled_from(("", "tcp", "udp", "sctp"))),
        draw(st.sampled_from(("", "wlc", "mh"))),
        draw(st.sampled_from(((), ("mh-port",), ("flag-1", "flag-2")))),
        method,
        tunnel,
        draw(st.sampled_from((None, 1, 360))),
        draw(st.sampled_from(("", "255.255.255.0", "64"))),
        draw(st.sampled_from(("", "sip"))),
        draw(st.booleans()),
        draw(st.integers(0, 9)),
        draw(st.integers(1, 9)),
        draw(st.integers(0, 9)),
        draw(st.booleans()),
        draw(st.sampled_from(("", "www.example.com"))),
        tuple(draw(st.lists(servers(), max_size=3))),
        draw(st.one_of(st.none(), servers())),
        draw(rests),
    )


configurations = st.builds(
    Configuration,
    st.tuples(*[st.sampled_from((0, 60))] * 3),
    st.sampled_from(((), ("eth0", "inst", "VI_1"))),
    st.lists(
        st.builds(
            Group,
            words,
            st.lists(
                st.builds(lambda pair, port: Range(pair[0], pair[1], port), ranges, ports),
                max_size=2,
            ).map(tuple),
            st.lists(
                st.builds(Mark, st.integers(1, 99), st.sampled_from((0, 4, 6))), max_size=2
            ).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    st.lists(virtual_servers(), max_size=3).map(tuple),
    st.lists(
        st.builds(
            Vrrp,
            words,
            st.just("eth0"),
            st.sampled_from(((), (("10.0.0.50/32", "eth0"), ("fd00::1", "eth1")))),
            rests,
        ),
        max_size=2,
    ).map(tuple),
    rests,
    rests,
)


@given(configurations)
def test_what_is_written_is_read_back_as_the_same(made: Configuration) -> None:
    again = parse(render(made))
    assert again.problems == ()
    assert again == made


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda b: b.decode("latin1"))))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        made = parse(text, "any.conf")
    except ConfigurationError as error:
        assert "any.conf" in str(error) and error.problem.remedy
    else:
        table_of(made)
        unexpressed(made)


def test_comments_quotes_and_braces_stand_anywhere() -> None:
    text = """
    ! old style comment
    # the shop
    virtual_server 10.0.0.1 80 # with a comment behind
    {
        lvs_sched "wrr"   ! and another
        lvs_method NAT
        protocol tcp
        real_server 10.1.0.1 8080 { weight 3 }
        real_server 10.1.0.2 8080 { weight 4
            notify_up "/bin/echo # no comment { here }" }
    }
    """
    made = parse(text)
    assert made.servers[0].comment == "the shop"
    assert made.servers[0].servers[1].rest[0].words[1] == "/bin/echo # no comment { here }"
    assert render_table(table_of(made).table) == [
        "-A -t 10.0.0.1:80 -s wrr",
        "-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 3",
        "-a -t 10.0.0.1:80 -r 10.1.0.2:8080 -m -w 4",
    ]


def test_definitions_sequences_and_lists_are_expanded() -> None:
    text = """
    $NET=10.1.${PART}
    $PART=7
    $RS= \\
        real_server ${NET}.${NUM} 80 { \\
            weight 1 \\
        }
    virtual_server 10.0.0.1 80 {
        protocol TCP
        ~SEQ(NUM, 1, 2) $RS
        ~LST({A, W}, {10, 3}, {11, 4}) $ONE
        $UNKNOWN_IS_LEFT_ALONE
    }
    virtual_server_group g {
        ~SEQx(X, 0x9, 0xa) fd00::${X} 80
    }
    """
    made = parse(text.replace("$ONE", "real_server 10.9.0.${A} ${W}"))
    assert [one.address for one in made.servers[0].servers] == [
        "10.1.7.1", "10.1.7.2", "10.9.0.10", "10.9.0.11",
    ]  # fmt: skip
    assert [one.port for one in made.servers[0].servers] == [80, 80, 3, 4]
    assert [one.first for one in made.groups[0].ranges] == ["fd00::9", "fd00::a"]


@pytest.mark.parametrize(("config_id", "weights"), [("lb1", [1, 3]), ("lb2", [2]), (None, [3])])
def test_lines_for_some_machines_only(config_id: str | None, weights: list[int]) -> None:
    text = """virtual_server 10.0.0.1 80 {
        @lb1 real_server 10.1.0.1 80 { weight 1 }
        @lb2 real_server 10.1.0.2 80 { weight 2 }
        @^lb2 real_server 10.1.0.3 80 { weight 3 }
    }"""
    made = parse(text, config_id=config_id)
    assert [one.weight for one in made.servers[0].servers] == weights
    codes = [problem.code for problem in made.problems]
    assert codes == ([] if config_id else ["keepalived-condition"])


def test_included_files_are_read_where_they_are_known_and_listed_where_not() -> None:
    files = {
        "/etc/keepalived/conf.d/a.conf": "virtual_server 10.0.0.1 80 {\n protocol TCP\n}\n",
        "/etc/keepalived/conf.d/deep/b.conf": "virtual_server 10.0.0.2 80 {\n}\n",
    }
    text = "include conf.d/*.conf\ninclude /srv/other.conf\n"
    made = parse(text, "/etc/keepalived/keepalived.conf", files=files)
    assert [one.file for one in made.servers] == ["/etc/keepalived/conf.d/a.conf"]
    assert [problem.params["pattern"] for problem in made.problems] == ["/srv/other.conf"]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.0.0.51-53", "10.0.0.51", "10.0.0.53"),
        ("10.0.0.250-10.0.1.2", "10.0.0.250", "10.0.1.2"),
        ("10.0.0.8/29", "10.0.0.8", "10.0.0.15"),
        ("fd00::50-5f", "fd00::50", "fd00::5f"),
        ("fd00::/126", "fd00::", "fd00::3"),
    ],
)
def test_ranges_of_addresses(text: str, first: str, last: str) -> None:
    assert read_range(text, "80") == Range(first, last, 80)


def test_defaults_are_keepalived_s_own() -> None:
    assert _lines("virtual_server 10.0.0.1 80 {\n real_server 10.1.0.1 {\n }\n}\n") == [
        "-A -u 10.0.0.1:80 -s wlc",
        "-a -u 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1",
    ]
    assert _lines("virtual_server 10.0.0.1 {\n protocol TCP\n}\n") == [
        "-A -t 10.0.0.1:0 -s wlc -p 360"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("virtual_server 10.0.0.1 80 {\n", "is not closed"),
        ("}\n", "closes nothing"),
        ("{\n}\n", "without a keyword"),
        ('quorum_up "/bin/true\n', "a quote is not closed"),
        ("a {\n" * 100, "deep"),
        ("\0\1\2", "not a text file"),
        ("$A=$B$B\n$B=$A$A\n${A}\n", "deep"),
        (
            "\n".join(f"$A{n}=${{A{n + 1}}}${{A{n + 1}}}" for n in range(40)) + "\n${A0}\n",
            "larger|deep",
        ),
        ("x" * (10 * 1024 * 1024 + 1), "larger than 10 MB"),
        ("~SEQ(A,1,900000) real_server 10.0.0.1 80\n", "larger than 10 MB"),
    ],
)
def test_what_cannot_be_trusted_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse(text, "k.conf")


def test_a_wrong_value_is_a_problem_with_its_line_and_the_rest_is_read() -> None:
    made = parse(
        "virtual_server 10.0.0.1 80 {\n lvs_method XYZ\n protocol TCP\n"
        " real_server nowhere 80 {\n }\n real_server 10.1.0.1 80 {\n weight many\n }\n}\n"
    )
    assert [problem.params["line"] for problem in made.problems] == [2, 4, 7]
    assert len(made.servers[0].servers) == 1


def test_a_reader_spends_its_budget_once_for_all_files() -> None:
    reader = Reader({"/etc/keepalived/a": "include a\n"})
    with pytest.raises(ConfigurationError, match="include each other"):
        list(reader.lines("include a\n", "/etc/keepalived/keepalived.conf"))
