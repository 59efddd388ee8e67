"""The fake director and the pure planner against a real kernel and a real ipvsadm.

Everything runs in a network namespace of its own on lb2, with an IPVS table of its own:
the director's table is not touched.
"""

from __future__ import annotations

import re
from itertools import count

import pytest
from hypothesis import given, settings

from console.planning import Plan
from lab.rack import Rack
from lvs.ipvsadm import digest, partial, planner
from lvs.ipvsadm.parse import combine, needs_save
from lvs.ipvsadm.types import ServiceKey, VirtualEntry
from tests.unit.captured import captured
from tests.unit.ipvs_tables import Situation, situations

#: eth0 in the namespace: the sync daemon wants an interface, and int0 a broadcast address.
PREPARE = """set -f
ip link set lo up
ip link add eth0 type veth peer name peer0
ip address add 10.20.0.2/24 dev eth0
ip link set eth0 up
ip link set peer0 up
say() { printf '@@ %s\\n' "$1"; }
read_all() {
  say "$1 thresholds"; ipvsadm -Ln --thresholds
  say "$1 proc"; cat /proc/net/ip_vs
  say "$1 save"; ipvsadm -S -n
}
"""


def on_director(rack: Rack, script: str) -> dict[str, str]:
    """Run a script in the namespace; its answer in parts, each after its mark."""
    whole = f"{PREPARE}{script}\nsay end\n"
    answer = rack.run("lb2", ("unshare", "-n", "sh", "-s"), given=whole, timeout=120)
    found = re.split(r"^@@ (.*)\n", answer.stdout, flags=re.MULTILINE)
    parts = dict(zip(found[1::2], found[2::2], strict=True))
    assert "end" in parts, answer
    return parts


def restore(mark: str, lines: bytes | None) -> str:
    """Script lines that feed a batch to `ipvsadm -R` and say how it ended."""
    text = (lines or b"").decode()
    return f"say {mark}\nipvsadm -R 2>&1 <<'@@@'\n{text}@@@\necho $?\n"


def sections(text: str) -> list[str]:
    """The services of a /proc listing in any order: theirs is that of a hash."""
    return sorted(re.split(r"\n(?=\w)", text.strip("\n")))


@pytest.mark.parametrize("name", ["semantics", "addresses"])
def test_the_director_answers_as_it_was_captured(rack: Rack, name: str) -> None:
    text = captured(f"ipvsadm-1.31_{name}.transcript")
    commands = re.findall(r"^\$ (.*)$", text, flags=re.MULTILINE)
    numbers = count()
    lines = (f"say {next(numbers)}\n{command} 2>&1\necho rc=$?" for command in commands)
    parts = on_director(rack, "\n".join(lines))
    expected = re.split(r"^\$ .*\n", text, flags=re.MULTILINE)[1:]
    assert len(expected) == len(commands) > 30
    for number, (command, answer) in enumerate(zip(commands, expected, strict=True)):
        if command.startswith("cat"):
            assert (command, sections(parts[f"{number}"])) == (command, sections(answer))
        else:
            assert (command, parts[f"{number}"]) == (command, answer)


@given(situations())
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_one_pass_converges_on_a_real_kernel_and_the_inverse_undoes_it(
    rack: Rack, situation: Situation
) -> None:
    observed, desired, owned = situation
    planned = planner.plan(desired, observed, owned)
    undo = planner.inverse(planned)
    moved = [key for key in {**observed, **desired} if key in owned]
    script = [restore("load", planner.rules_text(observed).encode()), "read_all before\n"]
    script.append(restore("apply", _batch(planned)) + "read_all after\n")
    script.append(f"say digest\nawk '{digest.PROGRAM}' stage=1 /dev/null stage=2 /proc/net/ip_vs\n")
    script.append(
        f"say partial\nsh -c '{partial.SCRIPT.replace(chr(39), QUOTE)}' sh '{digest.PROGRAM}' "
        f"<<'@@@'\n{partial.names(moved).decode()}@@@\n"
    )
    script.append(restore("undo", _batch(undo)) + "read_all undone\n")
    parts = on_director(rack, "".join(script))
    for mark in ("load", "apply", "undo"):
        assert parts[mark] == "0\n"
    foreign = {key: entry for key, entry in observed.items() if key not in owned}
    after = whole(parts, "after")
    assert after == foreign | desired
    assert not planner.plan(desired, after, owned)
    assert digest.split_digest(parts["digest"])[1] == digest.digest_of(after, HZ)
    read = partial.parse_partial(parts["partial"], moved)
    assert read.sample.table == {key: after[key] for key in partial.touched(moved) if key in after}
    assert read.rest == digest.digest_of(after, HZ, partial.touched(moved))
    assert whole(parts, "before") == whole(parts, "undone") == observed


#: How a single quote is written inside single quotes in sh.
QUOTE = "'\\''"
#: CONFIG_HZ of Debian's kernels.
HZ = 250


def _batch(planned: Plan) -> bytes:
    return b"".join(step.input_bytes or b"" for step in planned)


def whole(parts: dict[str, str], mark: str) -> dict[ServiceKey, VirtualEntry]:
    """The complete table of one reading."""
    thresholds, proc = parts[f"{mark} thresholds"], parts[f"{mark} proc"]
    saved = parts[f"{mark} save"] if needs_save(thresholds, proc) else None
    return combine(thresholds, proc, saved)
