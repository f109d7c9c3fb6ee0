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
from bench.consortium import Anchored, Transactions
from bench.formats import FormatFigures
from bench.measure import Figure
from bench.peers import PeerFigures
from bench.registry import Figures

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "pictures" / "registry-bench.png"
CONSORTIUM_PLOT = ROOT / "docs" / "pictures" / "consortium-bench.png"


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


def format_table(ours: list[FormatFigures], peers: PeerFigures) -> str:
    """The table of formats: ours with the ratio to the bare operation, peers with that to ours."""
    lines = [
        "| format | issued per second (bare signatures) | verified per second (bare verifications) "
        "| peers: issued, verified |",
        "| --- | ---: | ---: | --- |",
    ]
    for item in ours:
        beside = "; ".join(
            f"{peer}: {_beside(issued, item.issued)}, {_beside(verified, item.verified)}"
            for peer, (issued, verified) in peers.rates.get(item.name, {}).items()
        )
        lines.append(
            f"| {item.name} ({item.operation}) | {_cell(item.issued)} | {_cell(item.verified)} "
            f"| {beside} |"
        )
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


def transactions_table(figures: list[Transactions]) -> str:
    """Single transactions over the number of validators."""
    lines = [
        "| validators | transactions per second (Ed25519 verifications one takes) | median | p99 |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {item.validators} | {item.per_second:,.0f} ({item.floor / item.per_second:,.0f}) "
        f"| {item.median_seconds:.2f} s | {item.p99_seconds:.2f} s |"
        for item in figures
    ]
    return "\n".join(lines)


def anchored_table(found: Anchored) -> str:
    """Credentials anchored through batches on four validators."""
    latencies = sorted(found.latencies)
    rows = {
        "seconds": f"{found.seconds:,.0f}",
        "credentials anchored": f"{found.credentials:,}",
        "**credentials anchored per second**": f"**{found.credentials / found.seconds:,.0f}**",
        "of the slowest whole minute": f"{min(found.by_minute[:-1] or found.by_minute) / 60:,.0f}",
        "batches": f"{found.batches:,}",
        "digests, root, final, receipts, median": f"{latencies[len(latencies) // 2]:.2f} s",
        "the same, p99": f"{latencies[int(0.99 * len(latencies))]:.2f} s",
        "receipts built and verified offline": f"{found.receipts:,}",
        "growth of a member's ledger, bytes a credential": _growth(found, found.ledger_bytes),
        "growth of a member's node, bytes a credential": _growth(found, found.node_bytes),
    }
    lines = ["| four validators | |", "| --- | ---: |"]
    return "\n".join(lines + [f"| {name} | {value} |" for name, value in rows.items()])


def draw_consortium(figures: list[Transactions]) -> None:
    """Throughput and latency over the number of validators."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    validators = [item.validators for item in figures]
    plot, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(validators, [item.per_second for item in figures], "o-", color="black")
    left.set(xlabel="validators, all on one machine", ylabel="transactions per second")
    left.set_ylim(bottom=0)
    right.plot(validators, [item.median_seconds for item in figures], "o-", label="median")
    right.plot(validators, [item.p99_seconds for item in figures], "s--", label="p99")
    right.set(xlabel="validators, all on one machine", ylabel="seconds until final and signed")
    right.set_ylim(bottom=0)
    right.legend()
    for axes in (left, right):
        axes.set_xticks(validators)
    plot.tight_layout()
    CONSORTIUM_PLOT.parent.mkdir(exist_ok=True)
    plot.savefig(CONSORTIUM_PLOT, dpi=110)
    plt.close(plot)


def _growth(found: Anchored, grown: int) -> str:
    return f"{grown / found.credentials:,.1f}"


def _beside(theirs: Figure, ours: Figure) -> str:
    """Their figure, and how often they do it in the time of one of ours, by the bare operation."""
    return f"{_cell(theirs)} ×{ours.verifications / theirs.verifications:.2f}"


def _cell(figure: Figure) -> str:
    return f"{figure.per_second:,.0f} ({figure.verifications:.2f})"
