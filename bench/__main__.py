"""`python -m bench NAME`: run one benchmark, then write what was measured into the docs.

Without a name it only lists them and writes the docs anew.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from bench.common import RESULTS

_HERE = Path(__file__).parent
_DOCS = _HERE.parent / "docs" / "benchmarks.md"
_NOT_BENCHMARKS = {"__init__", "__main__", "common", "director", "keepalived"}
_HEAD = """\
# Benchmarks

What was measured, as it came out, flattering or not. Each figure is a ratio against a peer or
a floor in the same run, the median of several pairs; `make bench NAME=…` measures it again and
rewrites this page. Figures of the rack come from software emulation on two shared cores, about
twelve times slower than a real director: the ratios count, not the seconds.

| name | what | ours | against | ratio | goal |
|---|---|---|---|---|---|
"""


def names() -> list[str]:
    """Every benchmark, by the name of its module."""
    return sorted(path.stem for path in _HERE.glob("*.py") if path.stem not in _NOT_BENCHMARKS)


def write_docs() -> None:
    """docs/benchmarks.md from the committed results."""
    rows = []
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        unit = result["unit"]
        rows.append(
            f"| `{result['name']}` | {result['what']} | {result['ours']:g} {unit}"
            f" | {result['against']:g} {unit} | {result['ratio']:g} | {result['goal']} |\n"
        )
    _DOCS.write_text(_HEAD + "".join(rows))


def main() -> None:
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    if chosen and chosen not in names():
        sys.exit(f"There is no benchmark {chosen}. There are: {', '.join(names())}.")
    if chosen:
        sys.argv = [f"bench.{chosen}", *sys.argv[2:]]
        importlib.import_module(f"bench.{chosen}").main()
    else:
        print("make bench NAME=… with one of:", *names(), sep="\n  ")
    write_docs()


if __name__ == "__main__":
    main()
