"""One weight changed among 10,000 services x 4 real servers, through the console, proved.

Against one `ipvsadm -S -n` of that table typed on the director: the least that a person
would need to see that only this has changed.

    python -m bench.director_single_change [--pairs N]
"""

from __future__ import annotations

import argparse
import statistics

from bench.common import write_result
from bench.director import SERVERS, SERVICES, bench_on_rack

GOAL = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    samples = []
    with bench_on_rack() as bench:
        bench.declare()
        bench.apply()
        rows = bench.console.call("GET", "lvs/real-servers/?limit=1").body["results"]
        for pair in range(pairs):
            against = bench.typed("ipvsadm -S -n")
            ours = bench.set_weight(rows[0]["id"], 10 + pair)
            samples.append({"ours": ours, "against": against, "ratio": ours / against})
            print(samples[-1], flush=True)
    write_result(
        name="director_single_change",
        what=f"change one weight among {SERVICES} services x {SERVERS} real servers and prove"
        " that nothing else moved, against one ipvsadm -S -n",
        ours=round(statistics.median(sample["ours"] for sample in samples), 2),
        against=round(statistics.median(sample["against"] for sample in samples), 2),
        ratio=round(statistics.median(sample["ratio"] for sample in samples), 3),
        goal=f"<= {GOAL}",
        unit="s",
        samples=samples,
    )


if __name__ == "__main__":
    main()
