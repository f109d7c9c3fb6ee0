"""Mutate for long: `python -m tests.adversary COUNT [SEED] [KIND]`, COUNT of each kind."""

import random
import sys

from tests.adversary.plan import EMBEDDED, ENVELOPED, STRICT
from tests.adversary.trial import run


def main() -> None:
    """Run, and print what was refused for which reason."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**31)
    print(f"seed {seed}, {count} of each kind")
    for name, (_, make) in {**ENVELOPED, **STRICT, **EMBEDDED}.items():
        if len(sys.argv) > 3 and name != sys.argv[3]:
            continue
        tally = run(make(), count, seed=seed)
        print(f"{name}: {tally.counted} refused, {tally.same} said the same")
        for reason, often in tally.reasons.most_common():
            print(f"{often:9} {reason}")


if __name__ == "__main__":
    main()
