"""Who answers for a VIP: questions and answers byte by byte, and what was heard."""

from __future__ import annotations

import pytest

from lvs.probe import neighbours, owner
from lvs.probe.reading import IncompleteProof

MINE, THEIRS = bytes.fromhex("525400000001"), bytes.fromhex("525400000002")


def test_arp_question_is_answered_for_the_vip_only() -> None:
    frame = neighbours.arp_question(MINE, "10.10.0.100", "10.10.0.50")
    assert len(frame) == 42 and frame[:6] == b"\xff" * 6 and frame[12:14] == b"\x08\x06"
    assert neighbours.arp_answer(frame, "10.10.0.50") == b"", "a question is no answer"
    reply = neighbours.arp_question(THEIRS, "10.10.0.50", "10.10.0.100")
    reply = reply[:20] + b"\x00\x02" + reply[22:]
    assert neighbours.arp_answer(reply, "10.10.0.50") == THEIRS
    assert neighbours.arp_answer(reply, "10.10.0.51") == b""
    assert neighbours.arp_answer(b"", "10.10.0.50") == b""


def test_solicitation_is_well_formed_and_its_answer_read() -> None:
    frame = neighbours.solicitation(MINE, "fd00:10::100", "fd00:10::50")
    assert frame[:6] == bytes.fromhex("3333ff000050") and frame[12:14] == b"\x86\xdd"
    assert frame[21] == 255, "hop limit, RFC 4861 7.1"
    pseudo = frame[22:54] + (len(frame) - 54).to_bytes(4, "big") + b"\0\0\0\x3a"
    assert neighbours.checksum(pseudo + frame[54:]) == 0
    said = frame[62:78] + b"\x02\x01" + THEIRS
    reply = MINE + THEIRS + frame[12:54] + b"\x88\0\0\0\x60\0\0\0" + said
    assert neighbours.advertisement(reply, "fd00:10::50") == THEIRS
    assert neighbours.advertisement(reply, "fd00:10::51") == b""
    assert neighbours.advertisement(frame, "fd00:10::50") == b""


def heard(*lines: str) -> owner.Heard:
    return owner.read_heard("\n".join([*lines, "('end',)"]))


HERE = "('route', 'pub0', '10.10.0.100', '')"
DIRECTOR, THIEF = "('answer', 0, 'aa')", "('answer', 1, 'bb')"


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ((HERE, DIRECTOR), "director"),
        ((HERE, DIRECTOR, THIEF), "stolen"),
        ((HERE, THIEF), "stolen"),
        ((HERE,), "nobody"),
        (("('route', 'eth0', '10.0.0.9', '10.0.0.1')",), "routed"),
        (("('route', '', '', '')",), "routed"),
    ],
)
def test_state_is_told_from_who_was_heard(lines: tuple[str, ...], state: str) -> None:
    assert heard(*lines).state({"aa"}) == state


def test_tries_are_counted() -> None:
    assert heard(HERE, DIRECTOR, DIRECTOR, THIEF).answers == {"aa": 1, "bb": 1}


@pytest.mark.parametrize("text", ["", HERE, "nonsense", "('answer',)\n('end',)", "()\n('end',)"])
def test_broken_answer_is_refused(text: str) -> None:
    with pytest.raises(IncompleteProof):
        owner.read_heard(text)
