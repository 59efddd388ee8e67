"""When a page has to work out planned changes anew."""

from __future__ import annotations

import json
import zlib

from django.db.models import Count, Max, Sum

from lvs.models import Director


def plan_stamp(director: Director) -> str:
    """A word that changes when the planned changes of a director may have changed: with its
    table as it was seen, with what is around it, and with what is declared."""
    declared = director.virtual_services.aggregate(
        count=Count("pk"),
        changes=Sum("generation"),
        leaving=Count("removal_requested_at"),
        newest=Max("updated_at"),
    )
    parts = [
        director.version,
        director.table_digest,
        json.dumps(director.observed_facts, sort_keys=True),
        *declared.values(),
    ]
    return f"{zlib.crc32(repr(parts).encode()):08x}"
