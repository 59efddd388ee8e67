"""One weight changed among 1,000 and 4,000 services x 2 real servers: the console, end to end
and proved, against keepalived's reload on the same director.

keepalived is measured from SIGHUP until the kernel shows the new weight, by the director's
own clock; the console from the request of its API until it has seen the change in place and
that nothing else moved. keepalived's checks are one TCP connection to each real server in ten
minutes; `--checks none` measures it without any, which is no way to run it.

    python -m bench.single_change_vs_keepalived [--pairs N] [--services N …] [--checks none]
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from bench.common import write_result
from bench.keepalived import SERVERS, against_keepalived

GOAL = 10.0
NAME = "single_change_vs_keepalived"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--services", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--checks", choices=["tcp", "none"], default="tcp")
    given = parser.parse_args()
    samples: list[dict[str, Any]] = []
    for services in given.services:
        samples += measure(services, given.pairs, has_checks=given.checks == "tcp")
    ratios = {
        size: statistics.median(one["ratio"] for one in samples if one["services"] == size)
        for size in given.services
    }
    least = min(ratios, key=lambda size: ratios[size])
    chosen = [one for one in samples if one["services"] == least]
    told = ", ".join(f"{size} services: {ratio:.1f} times" for size, ratio in ratios.items())
    checks = "one TCP check in ten minutes" if given.checks == "tcp" else "no checks"
    write_result(
        name=NAME if given.checks == "tcp" else f"{NAME}_without_checks",
        what=f"change one weight among {least} services x {SERVERS} real servers and prove it,"
        f" against keepalived's reload with {checks} ({told} faster)",
        ours=round(statistics.median(one["ours"] for one in chosen), 2),
        against=round(statistics.median(one["against"] for one in chosen), 2),
        ratio=round(ratios[least], 2),
        goal=f">= {GOAL:g}",
        unit="s",
        samples=samples,
    )


def measure(services: int, pairs: int, *, has_checks: bool) -> list[dict[str, Any]]:
    """keepalived's reloads, then on the director anew the console's changes."""
    with against_keepalived(services, has_checks=has_checks) as pair:
        pair.fresh()
        pair.start_keepalived()
        against = [pair.reload_keepalived(101 + number) for number in range(pairs)]
        pair.fresh()
        pair.apply()
        ours = [pair.change_weight(101 + number) for number in range(pairs)]
    samples = []
    for mine, theirs in zip(ours, against, strict=True):
        samples.append(
            {"services": services, "ours": mine, "against": theirs, "ratio": theirs / mine}
        )
        print(samples[-1], flush=True)
    return samples


if __name__ == "__main__":
    main()
