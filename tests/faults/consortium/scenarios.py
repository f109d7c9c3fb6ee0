"""What is done to the members, and what must hold all the while.

Each scenario begins and ends with a whole network. After each, all heads agree, everything that was
acknowledged stands on every member at its place, and the audit of every member's ledger is clean.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry.consortium.__main__ import STOPPED
from tests.faults.consortium.load import Load, submit
from tests.faults.consortium.network import Consortium, Member, PromiseBroken, wait_until
from tests.registry.authors import new_did

RESUME_SECONDS = 20.0
START_SECONDS = 60.0
HALT_SECONDS = 4.0  # so long nothing may be acknowledged
FREEZE_SECONDS = 10.0
ALL = (1, 2, 3, 4)


@dataclass
class Report:
    """How often something was done, and how long the network took to go on afterwards."""

    rounds: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def round(self, name: str, seconds: float) -> None:
        self.rounds[name] = self.rounds.get(name, 0) + 1
        self.seconds.setdefault(name, []).append(seconds)


class Drill:
    """The scenarios over one network."""

    def __init__(self, consortium: Consortium, folder: Path, report: Report) -> None:
        self._net = consortium
        self._folder = folder
        self._report = report
        self._count = 0

    def everything(self) -> dict[str, Callable[[int], None]]:
        """Name of each scenario -> what runs it a number of rounds."""
        return {
            "one killed": self.one_killed,
            "two killed": self.two_killed,
            "parted 3-1": self.parted_three_one,
            "parted 2-2": self.parted_two_two,
            "heard one way": self.one_way,
            "flapping": self.flapping,
            "frozen": self.frozen,
            "slow link": self.slow_link,
            "killed in turn": self.killed_in_turn,
            "other rules": self.other_rules,
            "old copy": self.old_copy,
        }

    # --- members fall

    def one_killed(self, rounds: int) -> None:
        """Three of four go on."""
        for number in self._victims(rounds):
            victim = self._net.member(number)
            with self._load(*self._net.others(number)) as load:
                load.progress(3, seconds=RESUME_SECONDS)
                victim.kill()
                self._report.round("one killed", load.progress(10, seconds=RESUME_SECONDS))
                self._back(victim)
            self._whole(load)

    def two_killed(self, rounds: int) -> None:
        """Two of four acknowledge nothing, and go on when the others are back."""
        for number in self._victims(rounds):
            victims = [self._net.member(number), self._net.member(number % 4 + 1)]
            rest = self._net.others(*(victim.number for victim in victims))
            for victim in victims:
                victim.kill()
            waiting = self._halted(rest)
            for victim in victims:
                victim.start()
            for victim in victims:
                self._answers(victim)  # they are back; how fast a process starts is another matter
            # Nothing new: what was submitted before they came back must do.
            self._report.round("two killed", self._resumed(rest[0], waiting[0]))
            self._whole()

    def killed_in_turn(self, rounds: int) -> None:
        """One after the other falls and comes back, while there is work."""
        with self._load(*self._net.members) as load:
            for number in self._victims(rounds):
                victim = self._net.member(number)
                victim.kill()
                took = load.progress(3, seconds=2 * RESUME_SECONDS)
                self._back(victim)
                self._net.caught_up(victim, seconds=2 * RESUME_SECONDS)
                self._report.round("killed in turn", took)
        self._whole(load)

    def frozen(self, rounds: int) -> None:
        """A member that neither falls nor answers holds nobody up."""
        for number in self._victims(rounds):
            victim = self._net.member(number)
            with self._load(*self._net.others(number)) as load:
                victim.signal(signal.SIGSTOP)
                began = time.monotonic()
                took = load.progress(10, seconds=RESUME_SECONDS)
                time.sleep(max(0.0, FREEZE_SECONDS - (time.monotonic() - began)))
                victim.signal(signal.SIGCONT)
            self._report.round("frozen", took)
            self._whole(load)

    # --- the network falls

    def parted_three_one(self, rounds: int) -> None:
        """Three go on; the one that is alone acknowledges nothing and shows what it knows."""
        for number in self._victims(rounds):
            alone, rest = self._net.member(number), self._net.others(number)
            self._net.settle()
            with self._parted([number], [member.number for member in rest]):
                before = alone.height
                with self._load(*rest) as load:
                    took = load.progress(10, seconds=RESUME_SECONDS)
                    self._halted([alone])
                if alone.height > before + 1:  # a block that was under way may still be signed
                    raise PromiseBroken("a member alone moved on")
            self._net.settle(seconds=RESUME_SECONDS)
            self._report.round("parted 3-1", took)
            self._whole(load)

    def parted_two_two(self, rounds: int) -> None:
        """Neither half acknowledges anything."""
        for number in self._victims(rounds):
            half = [number, number % 4 + 1]
            rest = [other for other in ALL if other not in half]
            with self._parted(half, rest):
                self._halted([self._net.member(half[0]), self._net.member(rest[0])])
            self._report.round("parted 2-2", self._resumed(self._net.member(number), self._raw()))
            self._whole()

    def one_way(self, rounds: int) -> None:
        """A member that is heard and hears nobody."""
        for number in self._victims(rounds):
            with self._load(*self._net.others(number)) as load:
                self._net.hosts.drop(number, [other for other in ALL if other != number])
                took = load.progress(10, seconds=RESUME_SECONDS)
                self._net.hosts.heal()
                self._net.caught_up(self._net.member(number), seconds=2 * RESUME_SECONDS)
            self._report.round("heard one way", took)
            self._whole(load)

    def flapping(self, rounds: int) -> None:
        """The network parts and heals many times a minute, at another place each time."""
        with self._load(*self._net.members) as load:
            for number in self._victims(rounds):
                half = [number, number % 4 + 1] if number % 2 else [number]
                with self._parted(half, [other for other in ALL if other not in half]):
                    time.sleep(0.4)
                time.sleep(0.4)
            self._report.round("flapping", load.progress(10, seconds=RESUME_SECONDS))
            self._report.rounds["flapping"] += rounds - 1
        self._whole(load)

    def slow_link(self, rounds: int) -> None:
        """One member behind 256 kbit/s."""
        for number in self._victims(rounds):
            self._net.hosts.slow(number, kilobits=256)
            try:
                with self._load(*self._net.others(number)) as load:
                    took = load.progress(20, seconds=2 * RESUME_SECONDS)
            finally:
                self._net.hosts.fast(number)
            self._net.settle(seconds=2 * RESUME_SECONDS)
            self._report.round("slow link", took)
            self._whole(load)

    # --- members go wrong

    def other_rules(self, rounds: int) -> None:
        """A member with other rules stops by itself, and does not come back with a false state."""
        for number in self._victims(rounds):
            liar, rest = self._net.member(number), self._net.others(number)
            self._net.settle()
            copy = self._folder / f"before-{number}"
            liar.stop()
            self._net.copy(liar, copy)
            liar.start("-m", "tests.faults.consortium.other_rules")
            self._answers(liar)
            with self._load(*rest) as load:
                took = load.progress(10, seconds=RESUME_SECONDS)
                liar.ended(2 * RESUME_SECONDS)
                liar.start()  # the right rules, on a state that they did not make
                liar.ended(START_SECONDS)
                # Its ledger is worth nothing; what its key has signed is.
                self._forget_ledger(liar)
                self._back(liar)
            self._report.round("other rules", took)
            self._whole(load)

    def old_copy(self, rounds: int) -> None:
        """A member restored from an old copy would vote twice; it does not start."""
        for number in self._victims(rounds):
            victim, rest = self._net.member(number), self._net.others(number)
            old, newest = self._folder / f"old-{number}", self._folder / f"newest-{number}"
            victim.stop()
            self._net.copy(victim, old)
            self._back(victim)
            self._net.settle()
            with self._load(*self._net.members) as load:
                load.progress(20, seconds=RESUME_SECONDS)
            self._net.settle()
            victim.stop()
            self._net.copy(victim, newest)
            self._net.restore(victim, old)
            victim.start()
            code = victim.ended(START_SECONDS)
            if code != STOPPED or "signed" not in victim.last_lines():
                raise PromiseBroken(f"an old copy ended with {code}: {victim.last_lines()}")
            self._net.restore(victim, newest)
            self._back(victim)
            with self._load(*rest) as load:
                took = load.progress(5, seconds=RESUME_SECONDS)
            self._report.round("old copy", took)
            self._whole(load)

    # --- parts of scenarios

    def _victims(self, rounds: int) -> Iterator[int]:
        """Every member in turn."""
        for _ in range(rounds):
            self._count += 1
            yield self._count % 4 + 1

    def _load(self, *members: Member) -> Load:
        self._count += 1
        return Load(members, name=f"load {self._count}")

    def _raw(self) -> bytes:
        self._count += 1
        return new_did(f"drill {self._count}")[0]

    @contextmanager
    def _parted(self, *groups: list[int]) -> Iterator[None]:
        self._net.hosts.part(*groups)
        try:
            yield
        finally:
            self._net.hosts.heal()

    def _halted(self, members: list[Member]) -> list[bytes]:
        """Nobody acknowledges anything; what each of them was given."""
        time.sleep(1.0)  # a block that was under way
        given = [self._raw() for _ in members]
        for member, raw in zip(members, given, strict=True):
            if submit(member, raw, seconds=HALT_SECONDS) is not None:
                raise PromiseBroken(f"member {member.number} acknowledged without a quorum")
        return given

    def _resumed(self, member: Member, raw: bytes) -> float:
        """How long until a transaction is acknowledged."""
        return wait_until(
            lambda: submit(member, raw, seconds=RESUME_SECONDS) is not None,
            what="the network to go on",
            seconds=RESUME_SECONDS,
        )

    def _back(self, member: Member) -> None:
        member.start()
        self._answers(member)

    def _answers(self, member: Member) -> None:
        def answers() -> bool:
            if not member.is_running:
                raise PromiseBroken(f"member {member.number} ended: {member.last_lines()}")
            return member.height >= 0

        wait_until(answers, what=f"member {member.number} to answer", seconds=START_SECONDS)

    def _forget_ledger(self, member: Member) -> None:
        """Empty ledger and node, but for what the key has signed."""
        for path in member.folder.ledger.parent.iterdir():
            path.unlink()
        data = member.folder.node / "data"
        for path in data.glob("*.db"):
            for part in path.iterdir():
                part.unlink()
        for path in (data / "cs.wal").glob("*"):
            path.unlink()

    def _whole(self, load: Load | None = None) -> None:
        self._net.settle(seconds=2 * RESUME_SECONDS)
        if load is not None:
            load.verify()
        self._net.audit()
