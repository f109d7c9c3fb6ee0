"""Run benches: `python -m bench [name …]`, by default all. Numbers go to docs/performance.md."""

import argparse
import os
import sys
import time
from collections.abc import Callable

from bench.batches import measure_batches
from bench.consortium import measure_anchoring, measure_transactions
from bench.formats import measure_formats
from bench.measure import hash_a_page, measure, verify_a_signature
from bench.page import (
    anchored_table,
    batch_table,
    draw,
    draw_consortium,
    format_table,
    machine,
    registry_table,
    transactions_table,
    write_section,
)
from bench.registry import SIZES, Figures, measure_registry


def bench_registry(sizes: tuple[int, ...], write: bool) -> None:
    """The registry at 10^3, 10^5 and 10^6 records."""
    load = os.getloadavg()[0]
    floors = {
        "SHA-256 of 4 KiB": measure(hash_a_page),
        "Ed25519 verification": measure(verify_a_signature),
    }
    figures: list[Figures] = []
    for item in measure_registry(sizes):
        figures.append(item)
        print(f"… {item.records:,} records", file=sys.stderr)
    table = registry_table(figures, floors)
    conditions = machine((load, os.getloadavg()[0]))
    print(table, conditions, sep="\n\n")
    if write:
        draw(figures)
        write_section("registry", f"{table}\n\n{conditions}\n")


def bench_batches(_sizes: tuple[int, ...], write: bool) -> None:
    """Batches of credentials."""
    table = batch_table(list(measure_batches()))
    print(table)
    if write:
        write_section("batches", f"{table}\n")


VALIDATORS = (1, 4, 7)
ANCHORING_SECONDS = 600.0
CREDENTIALS_PER_SECOND = 2_400  # offered; 1,157 a second are a hundred million a day


def bench_consortium(sizes: tuple[int, ...], write: bool) -> None:
    """Real CometBFT networks: transactions over 1, 4 and 7 validators; batches for ten minutes."""
    load = os.getloadavg()[0]
    small = len(sizes) < len(SIZES)
    figures = []
    for validators in VALIDATORS:
        figures.append(measure_transactions(validators))
        print(f"… {validators} validators", file=sys.stderr)
    anchored = measure_anchoring(
        seconds=ANCHORING_SECONDS / (20 if small else 1), per_second=CREDENTIALS_PER_SECOND
    )
    text = "\n\n".join(
        [
            transactions_table(figures),
            anchored_table(anchored),
            machine((load, os.getloadavg()[0])),
        ]
    )
    print(text)
    if write and not small:
        draw_consortium(figures)
        write_section("consortium", f"{text}\n")


def bench_formats(_sizes: tuple[int, ...], write: bool) -> None:
    """Credential formats, issued and verified, beside peers; needs `make peers`."""
    load = os.getloadavg()[0]
    table = format_table(*measure_formats())
    conditions = machine((load, os.getloadavg()[0]))
    print(table, conditions, sep="\n\n")
    if write:
        write_section("formats", f"{table}\n\n{conditions}\n")


BENCHES: dict[str, Callable[[tuple[int, ...], bool], None]] = {
    "registry": bench_registry,
    "batches": bench_batches,
    "consortium": bench_consortium,
    "formats": bench_formats,
}


def main(arguments: list[str]) -> None:
    """Run it; see the module."""
    listed = ", ".join(f"{name}: {run.__doc__}" for name, run in BENCHES.items())
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=listed)
    parser.add_argument("names", nargs="*", metavar="name", help="of a bench; all by default")
    parser.add_argument("--list", action="store_true", help="list the benches and exit")
    parser.add_argument("--no-write", action="store_true", help="leave the page as it is")
    parser.add_argument("--small", action="store_true", help="leave out what takes longest")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(BENCHES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    if chosen.list:
        print("\n".join(f"{name:12} {run.__doc__}" for name, run in BENCHES.items()))
        return
    began = time.monotonic()
    for name in chosen.names or BENCHES:
        print(f"## {name}\n")
        BENCHES[name](SIZES[:-1] if chosen.small else SIZES, not chosen.no_write)
        print()
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
