"""1,000 and 4,000 services x 2 real servers on an empty director: the console, end to end and
proved, against keepalived's start on the same director.

keepalived is measured from its start until the kernel has the whole table, by the director's
own clock, with one TCP check of each real server in ten minutes; the console from the request
of its API until it has seen the whole table in place.

    python -m bench.bulk_vs_keepalived [--pairs N] [--services N …] [--checks none]
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from bench.common import write_result
from bench.keepalived import SERVERS, against_keepalived

GOAL = 1.0
NAME = "bulk_vs_keepalived"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--services", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--checks", choices=["tcp", "none"], default="tcp")
    given = parser.parse_args()
    samples: list[dict[str, Any]] = []
    for services in given.services:
        with against_keepalived(services, has_checks=given.checks == "tcp") as pair:
            for _ in range(given.pairs):
                pair.fresh()
                against = pair.start_keepalived()
                pair.fresh()
                ours = pair.apply()
                samples.append(
                    {
                        "services": services,
                        "ours": ours,
                        "against": against,
                        "ratio": ours / against,
                    }
                )
                print(samples[-1], flush=True)
    ratios = {
        size: statistics.median(one["ratio"] for one in samples if one["services"] == size)
        for size in given.services
    }
    worst = max(ratios, key=lambda size: ratios[size])
    chosen = [one for one in samples if one["services"] == worst]
    told = ", ".join(f"{size} services: {ratio:.2f}" for size, ratio in ratios.items())
    checks = "one TCP check in ten minutes" if given.checks == "tcp" else "no checks"
    write_result(
        name=NAME if given.checks == "tcp" else f"{NAME}_without_checks",
        what=f"apply {worst} services x {SERVERS} real servers to an empty director, proved,"
        f" against keepalived's start with {checks} ({told})",
        ours=round(statistics.median(one["ours"] for one in chosen), 2),
        against=round(statistics.median(one["against"] for one in chosen), 2),
        ratio=round(ratios[worst], 3),
        goal=f"<= {GOAL:g}",
        unit="s",
        samples=samples,
    )


if __name__ == "__main__":
    main()
