"""What the vault offers, and its promises; what it needs is in `needs.py`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from registry.core.refusals import Conflict, NotFound, Unavailable


def remains_of(ref: str) -> bytes:
    """The identifier under which the vault keeps what a merged row held, until its term is over."""
    return b"remains|" + ref.encode("ascii")


class NothingSealed(NotFound):
    """Nothing is stored under this reference, or it was forgotten."""


class VaultNotAudited(Unavailable):
    """The audit record could not be written, so nothing was read."""


class VaultRowNotOpened(Unavailable):
    """A stored row does not open: its key is missing, or its bytes were altered or moved."""


class VaultRowChanged(Conflict):
    """The row was replaced or forgotten by somebody else in the meantime."""


class IdentifierTaken(Conflict):
    """The identifier leads to another row already."""


class VaultRolledBack(Unavailable):
    """Vault database and row secrets are not of one time: one of them is a restored backup."""


class KeysUnavailable(Unavailable):
    """The keys cannot be reached: no token, a token that does not answer, or a wrong PIN."""


class IndexKeyChanged(Unavailable):
    """The store was indexed under another key: with this one, people would register twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where the row of an identifier is.

    `new` when this call put it there. With `similar`, nothing was written and `ref` is empty: rows
    of people who may be the same person are in the way, and people must decide.
    """

    ref: str
    new: bool
    similar: tuple[str, ...] = ()


class Vault(Protocol):
    """Keeps bytes that may hold personal data.

    - `open` reads nothing before every audit sink has the record on disk; if one fails, the answer
      is `VaultNotAudited` and nothing was read.
    - After `forget` the data key is destroyed: the row opens for nobody, whoever has the keys.
    """

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        """Store `data`; returns an opaque reference.

        Raises:
            Malformed: `owner` or `kind` is no code, or `data` is empty or too long.
        """
        ...

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        """The bytes behind `ref`, after the read is on the audit record.

        Raises:
            Malformed: `purpose` or `actor` is no code.
            NothingSealed: nothing is stored under `ref`, or it was forgotten.
            VaultNotAudited: the audit record could not be written.
            VaultRowNotOpened: the row was altered, or its key is gone.
        """
        ...

    def forget(self, ref: str) -> None:
        """Destroy what is behind `ref`, and its blind index. Safe to repeat.

        Raises:
            VaultNotAudited: the audit record could not be written; nothing was destroyed.
        """
        ...


class IdentityVault(Vault, Protocol):
    """The vault as the real-name service sees it: one identifier, one row, also in a race."""

    def seal_once(
        self,
        *,
        identifier: bytes,
        owner: str,
        kind: str,
        data: bytes,
        likeness: Sequence[bytes] = (),
        distinct_from: Collection[str] = (),
    ) -> Registration:
        """Store `data` under the blind index of `identifier`, unless a row is there already.

        Index and row are written together or not at all; of rivals, exactly one is `new`, whatever
        mixture of identifiers and likenesses they come with.

        Args:
            identifier: what one person has once, as scheme and number.
            owner: code of the feature whose row it is.
            kind: code of what the row is.
            data: what is sealed.
            likeness: what similar people share, as name and birth date; at most 4.
            distinct_from: references that people decided to be somebody else.

        Raises:
            Malformed: as `Vault.seal`, or an empty identifier.
            IndexKeyChanged: the key file is not the one that this vault was made with.
        """
        ...

    def find(self, identifier: bytes) -> str | None:
        """Reference of the row under the blind index of `identifier`; reads no personal data."""
        ...

    def replace(self, ref: str, *, data: bytes, likeness: Sequence[bytes] | None = None) -> None:
        """Seal new bytes under `ref` as its next version; the old version's key is destroyed.

        `likeness`, when given, takes the place of what was there. The row is opened for what it
        knows besides `data`, so this is on the audit record too.

        Raises:
            NothingSealed: nothing is stored under `ref`, or it was forgotten.
            VaultRowChanged: somebody else replaced it at the same time.
            VaultNotAudited: the audit record could not be written; nothing was changed.
        """
        ...

    def attach(self, ref: str, *, identifier: bytes) -> None:
        """Let a further identifier lead to `ref`: people decided that it is hers. Repeatable.

        Raises:
            IdentifierTaken: it leads to another row.
            NothingSealed, VaultRowChanged, VaultNotAudited: as `replace`.
        """
        ...

    def merge(self, ref: str, *, into: str) -> None:
        """Let every identifier of `ref` lead to `into`, and forget `ref`. Repeatable.

        What `ref` held is sealed once more, under `remains_of(ref)`, where no identifier of a
        person leads: for those who find that the merger was wrong.

        Raises:
            NothingSealed, VaultRowChanged, VaultNotAudited: as `replace`.
        """
        ...

    def separate(self, ref: str, *, merged_into: str) -> str:
        """Undo `merge` of `ref`; the reference of the row that holds again what it held.

        Its identifiers lead there and no longer to `merged_into`. The remains stay, so that this is
        repeatable, until they are forgotten.

        Raises:
            NothingSealed: no remains are kept; or nothing under `merged_into`.
            VaultRowChanged, VaultNotAudited: as `replace`.
        """
        ...
