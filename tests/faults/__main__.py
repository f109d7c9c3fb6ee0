"""Break storage everywhere and print how many points were broken. Run: python -m tests.faults

One thread only, because children are forked. Exits with 1 when a promise was broken anywhere, when
a mistake put in on purpose was not noticed, or when fewer points were broken than the least number.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.every_kind import write_every_kind
from tests.faults.flips import OUTCOMES, FlipTally, Twin, flip
from tests.faults.power_cut import cut_power
from tests.faults.status_path import PublishStatusList
from tests.faults.storage_calls import Tally, break_calls
from tests.faults.tracing import strace
from tests.faults.vault_path import KeepPeople
from tests.faults.write_paths import SealBlocks, WritePath

SEED = 20261121
PATHS: tuple[WritePath, ...] = (
    SealBlocks(name="begin a ledger", begun=False),
    SealBlocks(),
    PublishStatusList(),
    KeepPeople(),
)
# Each takes one sync away, and the power cuts must show it.
MISTAKES: tuple[tuple[str, WritePath, str | None], ...] = (
    ("SQLite's synchronous=OFF", SealBlocks(synced=False), None),
    ("no sync of the write-ahead log", SealBlocks(), "-wal"),
    ("no sync of the new head", SealBlocks(), ".head.next"),
    ("no sync of the ledger file", SealBlocks(), "ledger.db"),
    ("no sync of the issuer's database", PublishStatusList(), "identity.db"),
    ("no sync of the issuer's journal", PublishStatusList(), "-journal"),
    ("no sync of the vault's database", KeepPeople(), "vault.db"),
    ("no sync of the row secrets", KeepPeople(), "secrets.db"),
    ("no sync of the audit file", KeepPeople(), "audit.jsonl"),
)
JOURNAL = "-journal"  # shows itself in a few moments only, which a part of the cuts may miss
# A story that shrinks would pass with nothing broken.
LEAST_POINTS = 3500
LEAST_FLIPS_FOUND = 0.5


def main(arguments: list[str]) -> int:
    """Run it; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="break every n-th call only")
    parser.add_argument("--flips", type=int, default=1000, help="number of flipped bits")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true", help="print the counts as one JSON line")
    chosen = parser.parse_args(arguments)
    if strace() is None:
        print("strace is missing: storage calls cannot be broken", file=sys.stderr)
        return 1
    began = time.monotonic()
    tally, flips = Tally(), FlipTally()
    noticed: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for path in PATHS:
            print(f"… {path.name}", file=sys.stderr, flush=True)
            _in_folder(folder, lambda f, p=path: break_calls(p, f, tally, every=chosen.every))  # type: ignore[misc]
            _in_folder(
                folder,
                lambda f, p=path: cut_power(p, f, tally, seed=chosen.seed, every=chosen.every),  # type: ignore[misc]
            )
        for mistake, path, ignored in MISTAKES:
            every = chosen.every
            if ignored == JOURNAL:
                if every > 1:
                    continue
            else:
                every = max(5, every)
            print(f"… {mistake}", file=sys.stderr, flush=True)
            with_mistake = Tally()
            _in_folder(
                folder,
                lambda f, p=path, i=ignored, t=with_mistake, every=every: cut_power(  # type: ignore[misc]
                    p, f, t, seed=chosen.seed, every=every, ignored_syncs=i
                ),
            )
            noticed[mistake] = len(with_mistake.failures)
        _in_folder(folder, lambda f: _flip(f, flips, count=chosen.flips, seed=chosen.seed))
    failures = tally.failures + flips.failures
    failures += [f"not noticed: {mistake}" for mistake, count in noticed.items() if not count]
    points = sum(tally.points.values())
    if points < LEAST_POINTS // (chosen.every + 1):
        failures.append(f"only {points} points were broken")
    if chosen.flips - flips.outcomes["unused"] < LEAST_FLIPS_FOUND * chosen.flips:
        failures.append(f"most of {chosen.flips} flips hit nothing")
    if chosen.json:
        counts = {"points": tally.points, "flips": flips.outcomes, "mistakes": noticed}
        print(json.dumps({**counts, "failures": failures}))
    else:
        _print(tally, flips, noticed, failures, seconds=time.monotonic() - began, seed=chosen.seed)
    return 1 if failures else 0


def _flip(folder: Path, tally: FlipTally, *, count: int, seed: int) -> None:
    (folder / "twin").mkdir()
    path = folder / "twin" / "ledger.db"
    entries = write_every_kind(path)
    assert entries > 300
    flip(Twin(path), folder, tally, count=count, seed=seed)


def _in_folder(folder: Path, run: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run(Path(name))


def _print(
    tally: Tally,
    flips: FlipTally,
    noticed: dict[str, int],
    failures: list[str],
    *,
    seconds: float,
    seed: int,
) -> None:
    print(f"{sum(tally.points.values())} points broken (seed {seed}):")
    for kind, count in sorted(tally.points.items()):
        print(f"  {count:5}  {kind}")
    print(f"{sum(flips.outcomes.values()) + len(flips.failures)} bits flipped in a ledger file:")
    for outcome in OUTCOMES:
        print(f"  {flips.outcomes[outcome]:5}  {outcome}")
    print("mistakes put in on purpose, and the power cuts that show them:")
    for mistake, count in noticed.items():
        print(f"  {count:5}  {mistake}")
    for failure in failures:
        print(f"BROKEN: {failure}")
    print(f"{len(failures)} promises broken, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
