"""What a probe of the paths is given and what it answered, and what the difference means."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs.ipvsadm.types import Destination, DestinationKey, ForwardingMethod, Tunnel, TunnelType
from lvs.probe import director, paths
from lvs.probe.diagnosis import diagnose
from lvs.probe.paths import Answer, Asked, Reached
from lvs.probe.reading import IncompleteProof

OK, SILENT, REFUSED = Answer("answered", 0.01), Answer("timeout", 3.0), Answer("refused", 0.01)
NONE, TAKEN, HUNG = Answer(), Answer("taken", 0.1), Answer("hung", 3.0, "45696")
ON = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/vs/conntrack": "1"}
NAME = "10.20.0.11:80"


def reached(direct: Answer, path: Answer, upload: Answer = NONE, mss: int = 0) -> Reached:
    return Reached(NAME, direct, path, upload, mss, "int0", 1500)


@pytest.mark.parametrize(
    ("found", "forwarding", "settings", "code"),
    [
        (reached(OK, OK, TAKEN), "route", {}, ""),
        (reached(OK, SILENT), "route", {}, "vip-missing"),
        (reached(OK, REFUSED), "route", {}, "vip-not-listened"),
        (reached(REFUSED, OK, TAKEN), "route", {}, ""),
        (reached(REFUSED, SILENT), "route", {}, "vip-missing"),
        (reached(OK, REFUSED), "tunnel", {}, "tunnel-down"),
        (reached(OK, SILENT), "tunnel", {}, "tunnel-drops"),
        (reached(OK, SILENT), "masq", ON, "no-return-route"),
        (reached(OK, SILENT), "masq", ON | {"ipv4/ip_forward": "0"}, "forwarding-off"),
        (reached(OK, SILENT), "fullnat", ON, "no-source-nat"),
        (reached(OK, SILENT), "fullnat", ON | {"ipv4/vs/conntrack": "0"}, "conntrack-off"),
        (reached(REFUSED, REFUSED), "masq", ON, "server-refuses"),
        (reached(SILENT, SILENT), "tunnel", {}, "server-silent"),
        (reached(OK, OK, HUNG), "masq", ON, "mtu-hole"),
        (reached(OK, OK, TAKEN, 1460), "tunnel", {}, "mss-too-large"),
        (reached(OK, OK, TAKEN, 1440), "tunnel", {}, ""),
        (reached(OK, OK, TAKEN, 1460), "route", {}, ""),
    ],
)
def test_difference_is_the_diagnosis(
    found: Reached, forwarding: str, settings: dict[str, str], code: str
) -> None:
    tunnel = Tunnel() if forwarding == "tunnel" else None
    problem = diagnose(found, forwarding, settings, vip="10.10.0.50", tunnel=tunnel)
    assert (problem.code if problem else "") == code
    if problem:
        assert problem.text() and problem.remedy_text() and problem.subject == NAME


def test_wrapping_of_ipv6_takes_more_room() -> None:
    found = Reached("[fd00::11]:80", OK, OK, TAKEN, 1400, "int0", 1500)
    tunnel = Tunnel(TunnelType.GUE, 6080)
    problem = diagnose(found, "tunnel", {}, vip="fd00::1", tunnel=tunnel)
    assert problem and problem.params["room"] == 1500 - 32 - 20 - 60
    assert not problem.is_blocking


def asked(address: str = "10.20.0.11", port: int = 8080, forwarding: str = "masq") -> Asked:
    method = ForwardingMethod.MASQ if forwarding in ("masq", "fullnat") else ForwardingMethod.ROUTE
    key = DestinationKey(address, port)
    return Asked(Destination(key, method, 0, 7, 5, None), forwarding, port)


def test_script_is_a_program_with_a_mark_for_each_server() -> None:
    text = paths.director_script("tcp", "10.10.0.50", 80, [asked(), asked("10.20.0.12", 80)])
    first, _, rest = text.decode().partition("\n")
    compile(text, "probe", "exec")
    assert rest == paths._SCRIPT.read_text()
    space: dict[str, dict] = {}
    exec(first, space)
    servers = space["PARAMETERS"]["servers"]
    assert [one["mark"] for one in servers] == [0x0F000001, 0x0F000002]
    assert servers[0]["options"] == " -m -w 1", "weight 0 and thresholds do not count here"
    assert space["PARAMETERS"]["client"] == "198.51.100.254"


def test_methods_that_answer_past_the_director_are_asked_from_its_own_address() -> None:
    sources = []
    for forwarding in ("masq", "fullnat", "route"):
        text = paths.director_script("tcp", "10.10.0.50", 80, [asked(forwarding=forwarding)])
        space: dict[str, dict] = {}
        exec(text.decode().partition("\n")[0], space)
        sources.append(space["PARAMETERS"]["servers"][0]["source"])
    assert sources == ["client", "client", "own"]


LINES = """\
('route', '10.20.0.11', 'int0', '10.20.0.1')
('server', '10.20.0.11:80', ('answered', 0.3, 'HTTP/1.1'), ('timeout', 3.0, ''), ('', 0.0, ''), 0)
('setting', 'ipv4/ip_forward', '1')
('interface', 'lo', '00:00:00:00:00:00', '65536')
('interface', 'int0', '52:54:00:0e:20:15', '1500')
('neighbour', '10.20.0.11', '52:54:00:0e:20:1f')
"""


def test_answer_is_read() -> None:
    found = paths.read_paths(LINES + "('end',)\n")
    assert found.servers == (
        Reached(NAME, Answer("answered", 0.3, "HTTP/1.1"), Answer("timeout", 3.0),
                Answer(), 0, "int0", 1500),
    )  # fmt: skip
    assert found.settings == {"ipv4/ip_forward": "1"}
    assert found.neighbours == {"10.20.0.11": "52:54:00:0e:20:1f"}
    assert found.macs == {"52:54:00:0e:20:15"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (LINES, IncompleteProof),
        ("", IncompleteProof),
        ("('end'", IncompleteProof),
        ("1\n('end',)", IncompleteProof),
        ("('server', 1)\n('end',)", IncompleteProof),
        ("('busy',)", paths.ProbeBusy),
        ("('failed', 'ipvsadm -R', 'No such module')\n('end',)", paths.ProbeFailed),
    ],
)
def test_broken_answer_is_no_proof(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        paths.read_paths(text)


@given(st.text(max_size=200))
def test_garbage_never_crashes_the_reader(text: str) -> None:
    with contextlib.suppress(IncompleteProof, paths.ProbeBusy, paths.ProbeFailed):
        paths.read_paths(text)


def test_marks_of_probes_are_their_own() -> None:
    from lvs import marks

    assert not paths.is_probe_mark(marks.LAST_MARK)
    assert paths.is_probe_mark(paths.FIRST_MARK) and paths.is_probe_mark(paths.LAST_MARK)


def test_one_word_for_each_error_of_a_socket() -> None:
    assert director.outcome_of(TimeoutError()) == "timeout"
    assert director.outcome_of(ConnectionRefusedError(111, "")) == "refused"
    assert director.outcome_of(OSError(113, "")) == "unreachable"
    assert director.outcome_of(OSError(1, "")) == "error"
