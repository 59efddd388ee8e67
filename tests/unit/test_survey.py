"""Reading what a survey of a director answered, and the rules that set firewall marks."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lvs.director import survey
from lvs.director.marks import Feed, feeds_of_iptables, feeds_of_nft

NFT: list[dict[str, Any]] = [
    {"metainfo": {"version": "1.0.6"}},
    {
        "rule": {
            "family": "ip",
            "table": "m",
            "chain": "pre",
            "expr": [
                {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}},
                           "right": {"prefix": {"addr": "10.10.1.0", "len": 24}}}},
                {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
                           "right": {"set": [80, {"range": [8000, 8080]}]}}},
                {"counter": {"packets": 0, "bytes": 0}},
                {"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}},
            ],
        }
    },
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "feeds"),
    [
        (
            "-A PREROUTING -d 10.10.0.62/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8",
            [Feed(8, "tcp", "10.10.0.62/32", 80, 80)],
        ),
        (
            "-A PREROUTING -d fd00::1/128 -p udp -m multiport --dports 53,5000:5010 -m comment"
            ' --comment "dns and more" -j MARK --set-xmark 0x8/0xffffffff',
            [
                Feed(8, "udp", "fd00::1/128", 53, 53),
                Feed(8, "udp", "fd00::1/128", 5000, 5010),
            ],
        ),
    ],
)
def test_marks_of_iptables_by_address_protocol_and_port(line: str, feeds: list[Feed]) -> None:
    assert feeds_of_iptables(f"*mangle\n{line}\nCOMMIT\n") == (tuple(feeds), frozenset())


@pytest.mark.parametrize(
    "line",
    [
        "-A PREROUTING -i eth0 -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8",
        "-A PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8",
        "-A PREROUTING ! -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8",
        "-A mine -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8",
        "-A PREROUTING -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8/0xff",
        "-A PREROUTING -d 10.0.0.1/32 -p icmp -j MARK --set-xmark 0x8",
    ],
)
def test_a_rule_that_says_more_only_names_its_mark(line: str) -> None:
    assert feeds_of_iptables(f"{line}\n") == ((), frozenset({8}))


def test_marks_of_nftables() -> None:
    feeds, obscure = feeds_of_nft(NFT)
    assert feeds == (
        Feed(7, "tcp", "10.10.1.0/24", 80, 80),
        Feed(7, "tcp", "10.10.1.0/24", 8000, 8080),
    )
    assert not obscure
    NFT_OTHER = json.loads(json.dumps(NFT))
    NFT_OTHER[1]["rule"]["expr"].insert(
        0, {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}
    )
    assert feeds_of_nft(NFT_OTHER) == ((), frozenset({7}))
    NFT_OTHER[1]["rule"]["table"] = "evenkeel_lvs"
    assert feeds_of_nft(NFT_OTHER) == ((), frozenset())


def test_files_are_followed_through_their_includes_and_never_run(tmp_path: Path) -> None:
    """The script's own shell functions, on files that would do harm if they were run."""
    (tmp_path / "conf.d" / "deep").mkdir(parents=True)
    trap = tmp_path / "run"
    (tmp_path / "k.conf").write_text(
        f'include conf.d/*.conf\n include "{tmp_path}/one.conf"\ninclude $(touch {trap})\n'
        f"include `touch {trap}`; touch {trap}\ninclude k.conf\n"
    )
    (tmp_path / "conf.d" / "a b.conf").write_text("include deep/x.conf\n")
    (tmp_path / "conf.d" / "deep" / "x.conf").write_text("x\n")
    (tmp_path / "one.conf").write_text("@@ end\n")
    text = survey.SCRIPT.decode()
    body = text[text.index("count=0\n") : text.index("conf=$(writers")]
    done = subprocess.run(
        ["sh", "-u"],
        input=f"{body}walk {tmp_path}/k.conf 0\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = survey._files(done.stdout)
    assert {Path(path).name for path in found} == {"k.conf", "a b.conf", "x.conf", "one.conf"}
    assert found[f"{tmp_path}/one.conf"] == "@@ end\n"
    assert not trap.exists()


def test_writers_are_named_with_how_they_were_started() -> None:
    text = (
        "     85       1 keepalived      /usr/sbin/keepalived --dont-fork -i lb7\n"
        "     90       1 sshd            sshd: keepalived\n"
    )
    assert [one.name for one in survey._writers(text)] == ["keepalived"]
    encoded = base64.b64encode(text.encode()).decode()
    assert survey._decoded(encoded) == text
