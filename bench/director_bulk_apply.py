"""10,000 virtual services x 4 real servers on an empty director, through the console.

Against `ipvsadm -R` of the same lines and one `ipvsadm -S -n`, typed on that director: what
an operator would do by hand, without knowing afterwards whether it worked.

    python -m bench.director_bulk_apply [--pairs N]
"""

from __future__ import annotations

import argparse
import statistics

from bench.common import write_result
from bench.director import SERVERS, SERVICES, bench_on_rack

GOAL = 1.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    samples = []
    with bench_on_rack() as bench:
        bench.declare()
        lines = bench.lines()
        for _ in range(pairs):
            bench.forget()
            bench.rack.run("lb1", ["sh", "-c", "cat > /root/lines"], given=lines)
            against = bench.typed("ipvsadm -R < /root/lines && ipvsadm -S -n")
            bench.forget()
            ours = bench.apply()
            samples.append({"ours": ours, "against": against, "ratio": ours / against})
            print(samples[-1], flush=True)
    write_result(
        name="director_bulk_apply",
        what=f"apply {SERVICES} services x {SERVERS} real servers to an empty director, proved,"
        " against ipvsadm -R and one ipvsadm -S -n typed there",
        ours=round(statistics.median(sample["ours"] for sample in samples), 2),
        against=round(statistics.median(sample["against"] for sample in samples), 2),
        ratio=round(statistics.median(sample["ratio"] for sample in samples), 3),
        goal=f"<= {GOAL}",
        unit="s",
        samples=samples,
    )


if __name__ == "__main__":
    main()
