"""Rotation of the vault's keys while it works: no pause, and uniqueness at every moment.

An index key is rotated in four steps, each of which may be cut short and done again:

1. a new key is made, beside the old one;
2. the store admits it: from this moment every row is written under both, by whatever process;
3. rows from before get an index under the new key, each opened for it and on the audit record;
4. the store retires the old key once no row depends on it, and then the key is destroyed.

A registration is refused as a double by the old index until step 4 and by the new one from step 3
on, so at every moment by at least one that covers every row. Key-encryption keys are rotated the
same way; only the data key of a row is wrapped anew, and nothing personal is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from identity.vault.envelope import context_of
from identity.vault.needs import RotationStore, VaultKeyring
from identity.vault.ports import NothingSealed, VaultRowNotOpened
from identity.vault.service import SealedVault
from registry.core.refusals import Conflict

_BATCH = 200  # rows read at once
_MAX_ROUNDS = 1_000_000  # batches; a vault of 200 million rows


class RotationStuck(Conflict):
    """Some rows do not open, so they cannot be brought under the new key; see `unopened`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did."""

    key_id: str  # the new key
    rows: int  # brought under it
    destroyed: tuple[str, ...]


class KeyRotation:
    """Rotates the keys of one vault; one rotation at a time, any number of vaults beside it."""

    def __init__(self, *, vault: SealedVault, keys: VaultKeyring, store: RotationStore) -> None:
        self._vault = vault
        self._keys = keys
        self._store = store

    def rotate_index(self) -> Rotated:
        """Replace the index key; goes on with a rotation that was cut short.

        Raises:
            RotationStuck: a row does not open. Nothing is lost: both keys stay in use.
            Unavailable: keys, store or audit do not answer; call again.
        """
        self._keys.reload()
        live = self._store.live_keys("index")
        new = self._keys.index_keys()[0]
        if not live or (new in live and len(live) == 1):
            new = self._keys.add_index_key()  # 1
        self._admit(new, self._keys.index_keys(), use="index")  # 2
        rows = self._reindexed(new)  # 3
        destroyed = []
        for old in self._store.live_keys("index"):  # 4
            if old != new:
                self._retire(old, lambda: self._reindexed(new))
        for old in self._keys.index_keys():
            if old not in self._store.live_keys("index"):
                self._keys.destroy(old)
                destroyed.append(old)
        return Rotated(key_id=new, rows=rows, destroyed=tuple(destroyed))

    def rotate_wrapping(self) -> Rotated:
        """Replace the key-encryption key and wrap every data key anew; destroy the old one.

        Raises:
            RotationStuck: a data key does not unwrap. Nothing is lost: both keys stay.
            Unavailable: keys or store do not answer; call again.
        """
        self._keys.reload()
        new = self._keys.add_wrapping_key()
        self._admit(new, self._keys.wrapping_keys(), use="wrap")
        rows = self._rewrapped(new)
        destroyed = []
        for old in self._store.live_keys("wrap"):
            if old != new:
                self._retire(old, lambda: self._rewrapped(new))
        for old in self._keys.wrapping_keys():
            if old not in self._store.live_keys("wrap"):
                self._keys.destroy(old)
                destroyed.append(old)
        return Rotated(key_id=new, rows=rows, destroyed=tuple(destroyed))

    def _admit(self, new: str, ring: Sequence[str], *, use: str) -> None:
        """Make the new key known, and every old one that no row has announced yet.

        A key that the store has never heard of could not be retired: a process that still holds it
        would write the first row of the vault under it after it was destroyed.
        """
        self._store.admit_key(new, use=use)
        for old in ring:
            if old != new:
                self._store.admit_key(old, use=use)

    def _retire(self, key_id: str, catch_up) -> None:  # type: ignore[no-untyped-def]
        for _ in range(100):  # a process that had not heard of the new key may still have written
            if self._store.retire_key(key_id):
                return
            catch_up()
        raise RotationStuck("the old key is still in use")

    def _reindexed(self, key_id: str) -> int:
        count = 0
        for _ in range(_MAX_ROUNDS):
            rows = self._store.not_indexed_under(key_id, limit=_BATCH)
            moved = 0
            for row in rows:
                try:
                    opened, envelope = self._vault.opened(
                        "reindex", row.ref, purpose="index-rotation", actor="vault"
                    )
                except NothingSealed:
                    moved += 1  # forgotten in the meantime
                    continue
                except VaultRowNotOpened:
                    continue
                indices, likeness = self._vault.index_of(envelope)
                moved += self._store.reindex(
                    opened,
                    indices=[index for index in indices if index.key_id == key_id],
                    likeness=[index for index in likeness if index.key_id == key_id],
                )
            count += moved
            if not rows:
                return count
            if not moved:
                raise RotationStuck(f"{len(rows)} rows or more do not open")
        raise RotationStuck("the vault grows faster than it is indexed")

    def _rewrapped(self, key_id: str) -> int:
        count = 0
        for _ in range(_MAX_ROUNDS):
            rows = self._store.not_wrapped_under(key_id, limit=_BATCH)
            moved = 0
            for row in rows:
                context = context_of(row)
                try:
                    data_key = self._keys.unwrap(row.wrapped_key, context=context)
                except VaultRowNotOpened:
                    continue
                moved += self._store.rewrap(row, self._keys.wrap(data_key, context=context))
            count += moved
            if not rows:
                return count
            if not moved:
                raise RotationStuck(f"{len(rows)} rows or more do not open")
        raise RotationStuck("the vault grows faster than it is wrapped")
