"""Writes what was measured into `docs/performance.md`, between two marks, and draws the plot."""

import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import apsw
import matplotlib as mpl
from cryptography.hazmat.backends.openssl import backend

from bench.batches import BatchFigures
from bench.measure import Figure
from bench.registry import Figures

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "pictures" / "registry-bench.png"


def write_section(name: str, text: str) -> None:
    """Replace what stands between the marks of `name`.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- bench {name}: begin -->\n", f"<!-- bench {name}: end -->"
    page = PAGE.read_text()
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    if not rest or end not in rest:
        raise ValueError(f"docs/performance.md has no marks for {name}")
    PAGE.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def machine(load: tuple[float, float]) -> str:
    """The machine, in a sentence; `load` as it was before and after."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()} "
        f"(issuer: {sqlite3.sqlite_version}), {backend.openssl_version_text()}; load average "
        f"{load[0]:.1f} before, {load[1]:.1f} after."
    )


def registry_table(figures: list[Figures], floors: dict[str, Figure]) -> str:
    """The table of the registry."""
    sizes = [f"{item.records:,} records" for item in figures]
    lines = [
        "| per second (and how many Ed25519 verifications one takes) | " + " | ".join(sizes) + " |",
        "| --- |" + " ---: |" * len(figures),
    ]
    lines += [
        f"| floor: {name} |" + f" {_cell(figure)} |" * len(figures)
        for name, figure in floors.items()
    ]
    lines += [
        f"| {name} | " + " | ".join(_cell(item.rates[name]) for item in figures) + " |"
        for name in figures[0].rates
    ]
    lines.append(
        "| receipt, bytes | " + " | ".join(f"{item.receipt_bytes:,}" for item in figures) + " |"
    )
    lines.append(
        "| ledger file, MB | "
        + " | ".join(f"{item.file_bytes / 1e6:,.0f}" for item in figures)
        + " |"
    )
    lines.append(
        "| opening it, ms | "
        + " | ".join(f"{1000 * item.seconds_to_open:.0f}" for item in figures)
        + " |"
    )
    return "\n".join(lines)


def batch_table(figures: list[BatchFigures]) -> str:
    """The table of batches."""
    lines = [
        "| credentials in a batch | root and all paths | paths checked per second |",
        "| ---: | ---: | ---: |",
    ]
    lines += [
        f"| {item.count:,} | {item.seconds_for_all_paths:.2f} s | {_cell(item.checked)} |"
        for item in figures
    ]
    return "\n".join(lines)


def draw(figures: list[Figures]) -> None:
    """Costs over the number of records, in Ed25519 verifications, and the receipt's size."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sizes = [item.records for item in figures]
    plot, (left, right) = plt.subplots(1, 2, figsize=(12, 5), width_ratios=(2, 1))
    for name in figures[0].rates:
        line = "s--" if "durable" in name else "o-"  # there are more figures than colours
        left.plot(sizes, [item.rates[name].verifications for item in figures], line, label=name)
    left.axhline(1, color="black", linewidth=0.8, linestyle=":")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="records",
        ylabel="cost of one, in Ed25519 verifications",
        title="What the registry does (lower is better)",
    )
    left.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    right.plot(sizes, [item.receipt_bytes for item in figures], "o-", color="black")
    right.set(xscale="log", xlabel="records", ylabel="bytes", title="Size of an anchor receipt")
    right.set_ylim(bottom=0)
    plot.tight_layout()
    PLOT.parent.mkdir(exist_ok=True)
    plot.savefig(PLOT, dpi=110)
    plt.close(plot)


def _cell(figure: Figure) -> str:
    return f"{figure.per_second:,.0f} ({figure.verifications:.2f})"
