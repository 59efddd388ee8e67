"""The cheap proof of a large change: the digest that the director must answer afterwards.

Reading 50,000 lines back takes as long as a third of writing them. Where the kernel's own
listing shows everything that the changed services declare, the digest of that listing,
made on the director, proves the same; where it does not, or differs, the table is read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from lvs.director.sample import Look
from lvs.ipvsadm import digest
from lvs.ipvsadm.combine import Sample
from lvs.ipvsadm.listing import Listed
from lvs.ipvsadm.types import Connections, DestinationKey, ServiceKey, Table, VirtualEntry
from lvs.seen import restrict


def proved_by_digest(
    before: Look,
    desired: Table,
    owned: Collection[ServiceKey],
    look_quick: Callable[[], Look],
) -> Look | None:
    """A look that shows exactly what is desired, or None where only a whole one can tell."""
    touched = [*restrict(before.read.table, owned).values(), *desired.values()]
    if not all(digest.shows_all_of(entry) for entry in touched):
        return None
    ours = set(owned)
    others = {key: entry for key, entry in before.read.table.items() if key not in ours}
    table = {**others, **desired}
    try:
        wanted = digest.digest_of(table, before.read.hz)
    except ValueError:
        return None
    found = look_quick()
    if found.digest != wanted:
        return None
    rows = {key: _rows(entry, before.read.rows.get(key, {})) for key, entry in table.items()}
    return found._replace(sample=Sample(table, rows, before.read.hz))


def _rows(
    entry: VirtualEntry, before: Mapping[DestinationKey, Listed]
) -> dict[DestinationKey, Listed]:
    """Method, weight and the last known connection counts of each real server."""
    return {
        key: Listed(
            one.forwarding, one.weight, before[key].connections if key in before else Connections()
        )
        for key, one in entry.destinations.items()
    }
