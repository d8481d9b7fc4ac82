"""Every benchmark, one after the other: `make bench`. Each writes its figures to `benchmarks/results/`.

Quiet the machine first: two cores that do something else make wall times meaningless. The time of a job needs a network
that is up (`malla testnet up --detach`); without one that benchmark says so, and the exit status is 1.
"""

from __future__ import annotations

import subprocess
import sys

NAMES = ("gas", "verify_cost", "freivalds", "overhead", "job_latency")


def main() -> int:
    failed = []
    for name in NAMES:
        print(f"== python -m benchmarks.{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"Not measured: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
