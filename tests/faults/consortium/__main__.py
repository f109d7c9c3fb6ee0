"""Break a network of four real members. Run: python -m tests.faults.consortium

Exits with 1 when a promise was broken, or fewer rounds were run than asked for.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from registry.core.refusals import Refusal
from registry.ledger.comet.binary import find_cometbft, verify_version
from tests.comet_network import TOOLS
from tests.faults.consortium.hosts import Hosts, enter, missing_tools
from tests.faults.consortium.network import Consortium, PromiseBroken
from tests.faults.consortium.scenarios import Drill, Report

# Rounds of a whole run; the drills that restart members cost some seconds each.
ROUNDS = {
    "one killed": 8,
    "two killed": 6,
    "parted 3-1": 8,
    "parted 2-2": 6,
    "heard one way": 4,
    "flapping": 50,
    "frozen": 4,
    "slow link": 4,
    "killed in turn": 50,
    "other rules": 2,
    "old copy": 4,
}


def main(arguments: list[str]) -> int:
    """Run it; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="of each scenario, instead of the usual number")
    parser.add_argument("--only", action="append", choices=sorted(ROUNDS), help="this scenario")
    chosen = parser.parse_args(arguments)
    try:
        verify_version(find_cometbft(TOOLS / "cometbft"))
    except Refusal as refusal:
        print(f"no network to break: {refusal.detail}", file=sys.stderr)
        return 1
    if (reason := missing_tools()) is not None:
        print(f"no hosts to part: {reason}", file=sys.stderr)
        return 1
    if (code := enter("tests.faults.consortium", arguments)) is not None:
        return code
    rounds = {name: chosen.rounds or count for name, count in ROUNDS.items()}
    if chosen.only:
        rounds = {name: rounds[name] for name in chosen.only}
    report, broken = Report(), ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with Consortium(Hosts(4), folder / "network") as consortium:
            drill = Drill(consortium, folder, report)
            entries = 0
            for scenario, run in drill.everything().items():
                if scenario not in rounds:
                    continue
                print(f"… {scenario}, {rounds[scenario]} rounds", file=sys.stderr, flush=True)
                began = time.monotonic()
                try:
                    run(rounds[scenario])
                    entries = consortium.audit()
                except PromiseBroken as error:
                    broken = f"{scenario}: {error}"
                    break
                print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            _print(report, entries)
    if not broken and any(report.rounds.get(name, 0) < count for name, count in rounds.items()):
        broken = "fewer rounds than asked for"
    if broken:
        print(f"BROKEN: {broken}")
    return 1 if broken else 0


def _print(report: Report, entries: int) -> None:
    print(f"{sum(report.rounds.values())} rounds on four members, {entries} entries at the end:")
    for name, count in report.rounds.items():
        slowest = max(report.seconds[name])
        print(f"  {count:4}  {name:<16} went on within {slowest:.1f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
