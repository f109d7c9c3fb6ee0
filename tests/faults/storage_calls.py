"""Each storage call of a way of writing fails once: killed there, EIO, or no room."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.tracing import READS, SYNCS, WRITES, Call, Fault, run_traced
from tests.faults.write_paths import WritePath

EFFECTS = {
    "kill": ("signal=KILL", WRITES),
    "EIO": ("error=EIO", (*WRITES, *READS)),
    "ENOSPC": ("error=ENOSPC", tuple(name for name in WRITES if name != "unlink")),
}


@dataclass
class Tally:
    """How many points were broken, by kind, and which broke a promise."""

    points: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def judge(self, kind: str, where: str, check: "object") -> None:
        """Count one point; `check` is called, and what it raises is a failure."""
        assert callable(check)
        self.points[kind] += 1
        try:
            check()
        except Exception as error:
            self.failures.append(f"{where}: {type(error).__name__}: {error}")


def break_calls(path: WritePath, folder: Path, tally: Tally, *, every: int = 1) -> None:
    """Break every `every`-th call of `path`, each in a fresh copy; look after a restart."""
    base = folder / "base"
    base.mkdir()
    path.prepare(base)
    site = folder / "site"  # always the same name, so that nothing depends on it
    twin, _ = _run(path, base, site, None, folder)
    path.check(site, (folder / "answers").read_text().splitlines())
    for number, (kind, fault) in enumerate(_faults(twin, folder / "answers")):
        if number % every:
            continue
        calls, answers = _run(path, base, site, fault, folder)
        tally.judge(
            f"{path.name}: {kind}",
            f"{path.name}, {fault}",
            lambda calls=calls, answers=answers, fault=fault: _look(
                path, site, calls, answers, fault, folder / "answers"
            ),
        )
    again, _ = _run(path, base, site, None, folder)
    path.check(site, (folder / "answers").read_text().splitlines())
    assert Counter(c.name for c in again) == Counter(c.name for c in twin), "the twin changed"
    shutil.rmtree(base)
    shutil.rmtree(site)


def _faults(twin: list[Call], answers: Path) -> Iterator[tuple[str, Fault]]:
    counts = Counter(call.name for call in twin)
    said = {
        (call.name, number)
        for name in counts
        for number, call in enumerate((c for c in twin if c.name == name), 1)
        if call.fd == str(answers)
    }
    for kind, (effect, names) in EFFECTS.items():
        for name in names:
            for number in range(1, counts[name] + 1):
                if (name, number) not in said:  # the answers are not what is tested
                    yield kind, Fault(name, number, effect)


def _run(
    path: WritePath, base: Path, site: Path, fault: Fault | None, folder: Path
) -> tuple[list[Call], list[str]]:
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(base, site)
    answers = folder / "answers"
    answers.unlink(missing_ok=True)
    calls = run_traced(
        lambda say: path.work(site, say),
        files=path.files(site),
        answers=answers,
        trace=folder / "trace",
        fault=fault,
    )
    return calls, answers.read_text().splitlines()


def _look(
    path: WritePath, site: Path, calls: list[Call], answers: list[str], fault: Fault, said: Path
) -> None:
    if fault.effect != "signal=KILL":
        broken = [number for number, call in enumerate(calls) if call.injected]
        assert len(broken) == 1, "the fault was not put in"
        if fault.call in SYNCS:
            _assert_silent(calls[broken[0] + 1 :], calls[broken[0]].fd, said)
        elif fault.effect == "error=ENOSPC" and fault.call in ("pwrite64", "write"):
            assert answers[0] != "open" or answers[-1].startswith("ack"), (
                "there is room again, and it does not go on by itself"
            )
    path.check(site, answers)


def _assert_silent(after: list[Call], unsynced: str, said: Path) -> None:
    """After a failed sync nothing is acknowledged.

    SQLite keeps quiet about a directory that it could not sync; then somebody else must have
    synced that directory before the next answer. `ack … False` says that a change was on disk
    before, and that its publication was not: that is the truth, once for a file of its own.
    """
    answered = 0
    for call in after:
        if call.name in SYNCS and call.fd == unsynced and Path(unsynced).is_dir():
            return
        if call.fd != str(said):
            continue
        answered += 1
        own_file = Path(unsynced).name.startswith("identity.db")
        if call.strings[0].startswith(b"ack") and (
            not call.strings[0].endswith(b"False\n") or (own_file and answered > 1)
        ):
            raise AssertionError(f"acknowledged after a failed sync of {Path(unsynced).name}")
