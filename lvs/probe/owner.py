"""Who answers for a VIP on the clients' network: values, from what a machine there heard."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lvs.probe.reading import IncompleteProof

_SCRIPT = Path(__file__).with_name("neighbours.py")
#: Questions, and seconds to hear the answers to each.
TRIES, TIMEOUT = 3, 0.7


@dataclass(frozen=True, slots=True)
class Heard:
    """Link-layer addresses that answered for a VIP, each with the number of tries in which it
    did. `gateway` is set where the machine that asked is not in the VIP's network and could
    hear nobody; `own` is its own address towards the VIP."""

    answers: dict[str, int]
    own: str = ""
    gateway: str = ""

    def state(self, director: Collection[str]) -> str:
        """director, stolen (somebody else answers, always or now and then), nobody, or routed
        where it cannot be told from there."""
        if self.gateway or not self.own:
            return "routed"
        if not self.answers:
            return "nobody"
        return "stolen" if set(self.answers) - set(director) else "director"


def neighbour_script(vip: str) -> bytes:
    """What is fed to `python3 -` on a machine in the clients' network."""
    parameters = {"vip": vip, "tries": TRIES, "timeout": TIMEOUT}
    return f"PARAMETERS = {parameters!r}\n{_SCRIPT.read_text()}".encode()


def read_heard(text: str, said: str = "") -> Heard:
    """What that machine printed. Raises IncompleteProof without the end line."""
    tries: dict[str, set[int]] = {}
    own = gateway = ""
    for line in text.splitlines():
        try:
            words = ast.literal_eval(line)
            if words[0] == "end":
                return Heard({mac: len(heard) for mac, heard in tries.items()}, own, gateway)
            if words[0] == "route":
                _kind, _device, own, gateway = words
            elif words[0] == "answer":
                tries.setdefault(words[2], set()).add(words[1])
        except (ValueError, TypeError, SyntaxError, IndexError, MemoryError) as error:
            raise IncompleteProof(f"not understood: {line[:200]!r}") from error
    raise IncompleteProof(said.strip() or "the answer stops in the middle")
