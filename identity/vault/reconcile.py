"""Whether the vault's database and its row secrets are of one time; asked at every start.

| secrets say | database says | it means |
| --- | --- | --- |
| settled, version n | row at version n | all is well |
| pending, version n | row at version n | a crash before the secret was settled: settle it |
| pending, stale | no row, or an earlier version | a write that did not happen: drop the secret |
| destroyed | a row | an erased person in a restored backup, or a crash: shred the row |
| settled, version n | no row, or an earlier version | **the database is an older backup** |
| nothing | a row | **the secrets are an older backup**, or were lost |

The last two are refused: with an older database people could register twice, and bindings lead
nowhere. `accept_loss` is what two officers may decide then.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from identity.vault.needs import RowSecrets, SecretState, VaultStore
from identity.vault.ports import VaultRolledBack

_BATCH = 1000


@dataclass(slots=True)
class Findings:
    """References by what is wrong with them, and how many rows are well."""

    well: int = 0
    healed: list[str] = field(default_factory=list)
    lost_rows: list[str] = field(default_factory=list)
    lost_secrets: list[str] = field(default_factory=list)

    @property
    def is_rolled_back(self) -> bool:
        """Whether one of the two stores is older than the other."""
        return bool(self.lost_rows or self.lost_secrets)


class Reconciler:
    """Compares the two stores, and heals what a crash leaves."""

    def __init__(self, *, store: VaultStore, secrets: RowSecrets, now: Callable[[], int]) -> None:
        """Join the parts; `now` gives unix seconds."""
        self._store = store
        self._secrets = secrets
        self._now = now

    def check(self) -> Findings:
        """Compare every row; heal the harmless differences. Other processes may be writing."""
        found = Findings()
        for ref, state, version in self._pairs():
            self._judge(found, ref, state, version)
        return found

    def refuse_rolled_back(self) -> Findings:
        """As `check`.

        Raises:
            VaultRolledBack: one of the two stores is a restored backup.
        """
        found = self.check()
        if found.is_rolled_back:
            raise VaultRolledBack(
                f"the vault lacks {len(found.lost_rows)} rows and {len(found.lost_secrets)} "
                "secrets that it had: a restored backup? Bring the newest copy back, or see "
                "`cairn vault accept-loss`"
            )
        return found

    def accept_loss(self) -> Findings:
        """Give up what is lost: its secrets are destroyed, its rows and indices shredded.

        Whoever is concerned can register again, and gets new subjects.
        """
        found = self.check()
        for ref in (*found.lost_rows, *found.lost_secrets):
            self._secrets.destroy(ref)
            self._store.shred(ref, now=self._now())
        return found

    def _judge(
        self, found: Findings, ref: str, state: SecretState | None, version: int | None
    ) -> None:
        if state is not None and state.destroyed:
            if version is not None:
                self._store.shred(ref, now=self._now())
                found.healed.append(ref)
            return
        if state is not None and version in (state.settled, *state.pending):
            if version != state.settled:
                self._secrets.settle(ref, version or 0)
                found.healed.append(ref)
            found.well += 1
            return
        if version is None and state is not None and not state.settled:
            for stale in state.stale:
                self._secrets.drop(ref, stale)
                found.healed.append(ref)
            return
        # Not of one time. Unless somebody wrote between the two looks: look at this row once more.
        state, version = self._again(ref)
        if (
            version is None
            and state is not None
            and state.settled
            and self._store.was_forgotten(ref)
        ):
            self._secrets.destroy(ref)  # a merger that was cut short
            found.healed.append(ref)
        elif version is None and state is not None and state.settled:
            found.lost_rows.append(ref)
        elif version is not None and (state is None or not (state.settled or state.pending)):
            if state is None or not state.destroyed:
                found.lost_secrets.append(ref)
        elif state is not None and version is not None:
            if version in (state.settled, *state.pending):
                found.well += 1
            elif version < state.settled:
                found.lost_rows.append(ref)
            else:
                found.lost_secrets.append(ref)

    def _again(self, ref: str) -> tuple[SecretState | None, int | None]:
        """Secrets first: a version that is settled now was in the database before."""
        state = self._secrets.state(ref)
        row = self._store.read(ref)
        return state, None if row is None else row.version

    def _pairs(self) -> Iterator[tuple[str, SecretState | None, int | None]]:
        """Both stores side by side, in the order of their references."""
        states, versions = self._states(), self._versions()
        state, row = next(states, None), next(versions, None)
        while state is not None or row is not None:
            if row is None or (state is not None and state.ref < row[0]):
                assert state is not None
                yield state.ref, state, None
                state = next(states, None)
            elif state is None or row[0] < state.ref:
                yield row[0], None, row[1]
                row = next(versions, None)
            else:
                yield state.ref, state, row[1]
                state, row = next(states, None), next(versions, None)

    def _states(self) -> Iterator[SecretState]:
        after = ""
        while found := self._secrets.states(after=after, limit=_BATCH):
            yield from found
            after = found[-1].ref

    def _versions(self) -> Iterator[tuple[str, int]]:
        after = ""
        while found := self._store.versions(after=after, limit=_BATCH):
            yield from found
            after = found[-1][0]
