"""The dashboard for Grafana asks for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lvs import exposition

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "load-balancing.json"


def test_every_panel_asks_for_metrics_that_are_exposed() -> None:
    text = DASHBOARD.read_text()
    counters = {f"{name}_total" for name, _words in exposition._COUNTERS.values()}
    gauges = {name for name, _words in exposition._GAUGES.values()}
    known = counters | gauges | {"weight", *exposition.LOOKS}
    asked = set(re.findall(r"evenkeel_(?:virtual_service|real_server|director)_(\w+)", text))
    assert asked
    assert asked <= known
    assert all(panel["targets"] for panel in json.loads(text)["panels"])
