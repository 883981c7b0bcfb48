"""`python -m tests.differential`: compare with the API server's code and print the counts and every
difference.
"""

from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

from tests.differential.oracle import ORACLE_MINORS
from tests.differential.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000, help="cases per version (default %(default)s)")
    choices = ("all", *(f"1.{minor}" for minor in ORACLE_MINORS))
    parser.add_argument("--version", choices=choices, default="all", help="Kubernetes version (default all)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same cases")
    arguments = parser.parse_args()
    minors = ORACLE_MINORS if arguments.version == "all" else (int(arguments.version.removeprefix("1.")),)

    with tqdm(total=arguments.cases, unit="case", disable=None) as bar:
        tallies, differences = run(minors, arguments.cases, arguments.seed, bar.update)
    for minor, tally in tallies.items():
        print(
            f"Kubernetes 1.{minor}: {tally.cases} cases ({tally.accepted} policies accepted, {tally.refused} refused, "
            f"{tally.decisions} decisions), {tally.differences} differences"
        )
    for difference in differences:
        print(f"\n{difference}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
