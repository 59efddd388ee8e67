"""What every benchmark shares: one file of results for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def write_result(
    *,
    name: str,
    what: str,
    ours: float,
    against: float,
    ratio: float,
    goal: str,
    unit: str,
    samples: list[dict[str, Any]],
) -> Path:
    """Write results/NAME.json and say what is in it.

    `ours` and `against` are medians in `unit`, `ratio` is the one that `goal`
    speaks of, `samples` are the single runs.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    values = {
        "name": name,
        "what": what,
        "ours": ours,
        "against": against,
        "ratio": ratio,
        "goal": goal,
        "unit": unit,
        "samples": samples,
    }
    path.write_text(json.dumps(values, indent=2) + "\n")
    print(f"{name}: {ours:g} against {against:g} {unit}, ratio {ratio:g} (goal {goal})")
    return path
