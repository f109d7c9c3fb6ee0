"""Power cuts: what a disk may hold when everything that was not synced is lost, torn or reordered.

`kill -9` cannot show a missing sync, because the operating system's cache outlives the process. So
one calm run is recorded, with the data of every write, and a model of the disk is driven by the
recording: a write is safe once its file was synced, a name once its directory was. At every call
the power fails, in three ways, and the files that are left are opened again.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.storage_calls import Tally
from tests.faults.tracing import Call, run_traced
from tests.faults.write_paths import WritePath

SECTOR = 512  # bytes that a disk writes whole
WAYS = ("dropped", "torn", "reordered")
SHARED_MEMORY = "-shm"  # never synced, never trusted: SQLite makes it anew


@dataclass(slots=True)
class _File:
    """Content that is safe, and what was written over it since; `data` None is a truncation."""

    safe: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass(slots=True)
class _Disk:
    """Files by number, names that point at them, and names that are not safe yet."""

    ignored_syncs: str | None  # a mistake put in on purpose: syncs of such files do nothing
    files: list[_File] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # as the running program sees them
    safe_names: dict[str, int] = field(default_factory=dict)
    changes: list[dict[str, int | None]] = field(default_factory=list)  # of names, in order
    places: dict[int, int] = field(default_factory=dict)  # where `write` goes on, by file

    def put(self, name: str, data: bytes) -> None:
        """A file that was there before."""
        self.files.append(_File(data))
        self.names[name] = self.safe_names[name] = len(self.files) - 1

    def play(self, call: Call) -> None:
        """Do what the call did."""
        name = Path(call.fd).name
        if call.name == "openat":
            self._open(Path(call.strings[0].decode()).name, call.flags)
        elif call.name in ("pwrite64", "write") and name in self.names:
            number = self.names[name]
            place = call.numbers[-1] if call.name == "pwrite64" else self.places.get(number, 0)
            self.places[number] = place + len(call.strings[0])
            self.files[number].pending.append((place, call.strings[0]))
        elif call.name == "ftruncate" and name in self.names:
            self.files[self.names[name]].pending.append((call.numbers[-1], None))
        elif call.name in ("fsync", "fdatasync"):
            self._sync(name)
        elif call.name == "rename":
            old, new = (Path(text.decode()).name for text in call.strings)
            self._name({new: self.names[old], old: None})
        elif call.name == "unlink":
            self._name({Path(call.strings[0].decode()).name: None})

    def _open(self, name: str, flags: str) -> None:
        if name not in self.names and "O_CREAT" in flags:
            self.files.append(_File())
            self._name({name: len(self.files) - 1})
        if name in self.names and "O_TRUNC" in flags:
            self.files[self.names[name]].pending.append((0, None))
            self.places[self.names[name]] = 0
        if name in self.names and "O_APPEND" in flags:
            file = self.files[self.names[name]]
            self.places[self.names[name]] = len(_written(file.safe, file.pending))

    def _name(self, change: dict[str, int | None]) -> None:
        _rename(self.names, change)
        self.changes.append(change)

    def _sync(self, name: str) -> None:
        if self.ignored_syncs is not None and name.endswith(self.ignored_syncs):
            return
        if name in self.names:
            file = self.files[self.names[name]]
            file.safe, file.pending = _written(file.safe, file.pending), []
        else:  # the directory
            self.safe_names, self.changes = dict(self.names), []

    def after_power_cut(self, way: str, chance: random.Random) -> dict[str, bytes]:
        """What is found on the disk. Names are journalled by file systems: a prefix survives."""
        names = dict(self.safe_names)
        kept = 0 if way == "dropped" else chance.randint(0, len(self.changes))
        for change in self.changes[:kept]:
            _rename(names, change)
        return {
            name: _written(self.files[number].safe, self._survivors(number, way, chance))
            for name, number in names.items()
        }

    def _survivors(
        self, number: int, way: str, chance: random.Random
    ) -> list[tuple[int, bytes | None]]:
        pending = self.files[number].pending
        if way == "dropped":
            return []
        if way == "reordered":
            return [write for write in pending if chance.random() < 0.5]
        kept = pending[: chance.randint(0, len(pending))]
        if kept and (data := kept[-1][1]) is not None:
            place = kept[-1][0]
            cut = min(len(data), chance.randrange(0, len(data) + SECTOR, SECTOR))
            # The head of the write arrived, or its tail did.
            kept[-1] = (place, data[:cut]) if chance.random() < 0.5 else (place + cut, data[cut:])
        return kept


def _rename(names: dict[str, int], change: dict[str, int | None]) -> None:
    for name, number in change.items():
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number


def _written(content: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    data = bytearray(content)
    for place, written in writes:
        if written is None:
            data = data[:place] + bytes(max(0, place - len(data)))
        elif written:
            data.extend(bytes(max(0, place - len(data))))
            data[place : place + len(written)] = written
    return bytes(data)


def cut_power(
    path: WritePath,
    folder: Path,
    tally: Tally,
    *,
    seed: int,
    every: int = 1,
    ignored_syncs: str | None = None,
) -> None:
    """Cut the power after every `every`-th call of `path`, in each way; look after a restart.

    Args:
        path: what is recorded.
        folder: where to work; empty.
        tally: counts the cuts.
        seed: of the choice of what survives.
        every: 1 for all calls.
        ignored_syncs: end of a file's name; the model does not count syncs of it, as if the
            product had none. The tally must then show failures.
    """
    base, site, answers = folder / "base", folder / "site", folder / "answers"
    base.mkdir()
    path.prepare(base)
    shutil.copytree(base, site)
    calls = run_traced(
        lambda say: path.work(site, say),
        files=path.files(site),
        answers=answers,
        trace=folder / "trace",
    )
    chance = random.Random(seed)
    for number, way, said, left in _cuts(
        calls, base, answers, chance, every=every, ignored_syncs=ignored_syncs
    ):
        shutil.rmtree(site)
        site.mkdir()
        for name, data in left.items():
            (site / name).write_bytes(data)
        tally.judge(
            f"{path.name}: power cut, {way}",
            f"{path.name}, power cut ({way}) after call {number} of {len(calls)}, seed {seed}",
            _checker(path, site, said),
        )
    shutil.rmtree(base)
    shutil.rmtree(site)


def _checker(path: WritePath, site: Path, said: list[str]) -> Callable[[], None]:
    return lambda: path.check(site, said)


def _cuts(
    calls: list[Call],
    base: Path,
    answers: Path,
    chance: random.Random,
    *,
    every: int,
    ignored_syncs: str | None,
) -> Iterator[tuple[int, str, list[str], dict[str, bytes]]]:
    disk = _Disk(ignored_syncs)
    for file in base.iterdir():
        if not file.name.endswith(SHARED_MEMORY):
            disk.put(file.name, file.read_bytes())
    said: list[str] = []
    for number, call in enumerate(calls, 1):
        if call.fd == str(answers):
            said += b"".join(call.strings).decode().splitlines()
        elif call.result >= 0 and not _is_shared_memory(call):
            disk.play(call)
            if call.name in ("pread64", "read"):
                continue  # nothing changed
        if number % every == 0 or number == len(calls):
            for way in WAYS:
                yield number, way, list(said), disk.after_power_cut(way, chance)


def _is_shared_memory(call: Call) -> bool:
    return call.fd.endswith(SHARED_MEMORY) or any(
        text.endswith(SHARED_MEMORY.encode()) for text in call.strings if len(text) < SECTOR
    )
