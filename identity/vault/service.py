"""Envelope encryption with bound rows, and the audit that comes before every read."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from identity.vault.envelope import (
    MAX_IDENTIFIER_BYTES,
    Envelope,
    context_of,
    open_content,
    parse_envelope,
    row_context,
    seal_content,
)
from identity.vault.needs import AuditSink, RowSecrets, VaultKeys, VaultStore
from identity.vault.ports import (
    IndexKeyChanged,
    NothingSealed,
    Registration,
    VaultNotAudited,
    VaultRowChanged,
    VaultRowNotOpened,
    remains_of,
)
from identity.vault.records import AuditRecord, BlindIndex, SealedRow
from registry.core.encoding import base64url_encode
from registry.core.refusals import Malformed

MIN_AUDIT_SINKS = 2  # one of them may be in the hands of whoever wants to read unseen
ACTIONS = (
    "open",
    "replace",
    "attach",
    "merge",
    "separate",
    "forget",
    "reindex",
    "retention",
    "break-glass-asked",
    "break-glass",
)

_REF = re.compile(r"vlt_[A-Za-z0-9_-]{22}")
# Audit lines hold codes, so nobody types a name into a purpose: no spaces, no foreign letters.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/#@-]{0,127}")
# A rotation of a small vault takes milliseconds; several may pass while one call looks for keys.
_MAX_RELOADS = 5
_REMAINS = "remains-"  # before the kind of a row that was merged into another
_T = TypeVar("_T")


class SealedVault:
    """Keeps the promises of `IdentityVault` over a store, keys, row secrets and audit sinks."""

    def __init__(
        self,
        *,
        store: VaultStore,
        keys: VaultKeys,
        secrets: RowSecrets,
        audit: Sequence[AuditSink],
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        """Join the parts.

        Args:
            store: where sealed rows lie.
            keys: wraps data keys and computes blind indices.
            secrets: the half of each row's key that no backup of the store holds.
            audit: at least two sinks; each is written before anything is read.
            random: source of random bytes.
            now: unix seconds.

        Raises:
            Malformed: fewer than two audit sinks.
        """
        if len(audit) < MIN_AUDIT_SINKS:
            raise Malformed("the vault needs two audit sinks")
        self._store = store
        self._keys = keys
        self._secrets = secrets
        self._audit = tuple(audit)
        self._random = random
        self._now = now

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        """As `Vault.seal`."""
        row, _ = self._written(
            Envelope(data=data),
            ref=self._new_ref(),
            owner=owner,
            kind=kind,
            version=1,
            write=self._store.add,
        )
        self._secrets.settle(row.ref, 1)
        return row.ref

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
        """As `IdentityVault.seal_once`."""
        envelope = Envelope(data=data, identifiers=(identifier,), likeness=tuple(likeness))
        if (found := self.find(identifier)) is not None:
            return Registration(ref=found, new=False)
        row, added = self._written(
            envelope,
            ref=self._new_ref(),
            owner=owner,
            kind=kind,
            version=1,
            write=lambda row: self._store.add(
                row,
                indices=self._indices("identifier", envelope.identifiers),
                likeness=self._indices("likeness", envelope.likeness),
                distinct_from=distinct_from,
            ),
        )
        if added.ref != row.ref:
            self._secrets.drop(row.ref, 1)
            return Registration(ref=added.ref, new=False, similar=added.similar)
        self._secrets.settle(row.ref, 1)
        return Registration(ref=row.ref, new=True)

    def find(self, identifier: bytes) -> str | None:
        """As `IdentityVault.find`."""
        if not 0 < len(identifier) <= MAX_IDENTIFIER_BYTES:
            raise Malformed("an identifier is empty, or too long")
        return self._under_keys_of_now(
            lambda: self._store.find(self._indices("identifier", (identifier,)))
        )

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        """As `Vault.open`."""
        return self.opened("open", ref, purpose=purpose, actor=actor)[1].data

    def replace(self, ref: str, *, data: bytes, likeness: Sequence[bytes] | None = None) -> None:
        """As `IdentityVault.replace`."""
        old, envelope = self.opened("replace", ref, purpose="replace", actor="vault")
        kept = envelope.likeness if likeness is None else tuple(likeness)
        self._put(
            old, replace(envelope, data=data, likeness=kept), relike=kept != envelope.likeness
        )

    def attach(self, ref: str, *, identifier: bytes) -> None:
        """As `IdentityVault.attach`."""
        old, envelope = self.opened("attach", ref, purpose="attach", actor="vault")
        if identifier not in envelope.identifiers:
            self._put(old, replace(envelope, identifiers=(*envelope.identifiers, identifier)))

    def merge(self, ref: str, *, into: str) -> None:
        """As `IdentityVault.merge`."""
        if ref == into:
            raise Malformed("a row cannot be merged into itself")
        if self._store.read(into) is not None and self._store.read(ref) is None:
            self._secrets.destroy(ref)  # an earlier call was cut short here
            return
        row, lost = self.opened("merge", ref, purpose="merge", actor="vault")
        remains = self.seal_once(
            identifier=remains_of(ref),
            owner=row.owner,
            kind=_REMAINS + row.kind,
            data=lost.encoded(),
        )
        if not remains.new:  # an earlier call was cut short; the row may have changed since
            self.replace(remains.ref, data=lost.encoded())
        old, envelope = self.opened("merge", into, purpose="merge", actor="vault")
        union = tuple(dict.fromkeys((*envelope.identifiers, *lost.identifiers)))
        self._put(old, replace(envelope, identifiers=union), absorbed=row)
        self._secrets.destroy(ref)

    def separate(self, ref: str, *, merged_into: str) -> str:
        """As `IdentityVault.separate`."""
        remains = self.find(remains_of(ref))
        if remains is None:
            raise NothingSealed("nothing is kept of this merger any more")
        row, kept = self.opened("separate", remains, purpose="separate", actor="vault")
        lost = parse_envelope(kept.data)
        if not lost.identifiers:
            raise NothingSealed("no identifier led to what was merged")
        old, envelope = self.opened("separate", merged_into, purpose="separate", actor="vault")
        rest = tuple(item for item in envelope.identifiers if item not in lost.identifiers)
        if rest != envelope.identifiers:
            self._put(old, replace(envelope, identifiers=rest), dropped=lost.identifiers)
        first, *others = lost.identifiers
        distinct: tuple[str, ...] = (merged_into,)
        while True:
            # Whoever else is alike was a registration of its own before, beside this one.
            back = self.seal_once(
                identifier=first,
                owner=row.owner,
                kind=row.kind.removeprefix(_REMAINS),
                data=lost.data,
                likeness=lost.likeness,
                distinct_from=distinct,
            )
            if not back.similar:
                break
            distinct = (*distinct, *back.similar)
        for identifier in others:
            # Of somebody who was merged into her before and taken apart first: it is not hers.
            if self.find(identifier) in (None, back.ref):
                self.attach(back.ref, identifier=identifier)
        return back.ref

    def forget(self, ref: str, *, purpose: str = "forget") -> None:
        """As `Vault.forget`; `purpose` is a code for the audit record."""
        self.record("forget", ref, purpose=purpose, actor="vault")
        self._secrets.destroy(ref)  # from here on no copy of the row opens, wherever it lies
        self._store.shred(ref, now=self._now())

    def record(self, action: str, ref: str, *, purpose: str, actor: str) -> None:
        """Put a record into every sink, or refuse; nothing is read before this returned.

        Raises:
            Malformed: `purpose` or `actor` is no code.
            NothingSealed: `ref` is no reference of ours.
            VaultNotAudited: a sink failed.
        """
        _check_code("purpose", purpose)
        _check_code("actor", actor)
        if not _REF.fullmatch(ref):
            raise NothingSealed("nothing is sealed under this reference")
        self.note(
            AuditRecord(
                id=base64url_encode(self._random(16)),
                time=self._now(),
                action=action,
                ref=ref,
                actor=actor,
                purpose=purpose,
            )
        )

    def note(self, entry: AuditRecord) -> None:
        """Put a record that is made already into every sink.

        Raises:
            VaultNotAudited: a sink failed.
        """
        for sink in self._audit:
            try:
                sink.record(entry)
            except Exception as error:  # whatever it was: without the record there is no read
                raise VaultNotAudited("the audit record could not be written") from error

    def opened(
        self, action: str, ref: str, *, purpose: str, actor: str
    ) -> tuple[SealedRow, Envelope]:
        """A row and what is in it, after the record; the only place where a row is opened.

        Raises:
            Malformed, NothingSealed, VaultNotAudited, VaultRowNotOpened: as `Vault.open`.
        """
        self.record(action, ref, purpose=purpose, actor=actor)
        row = self._store.read(ref)
        if row is None or row.ref != ref:
            raise NothingSealed("nothing is sealed under this reference")
        secret = self._secrets.read(ref, row.version)
        if secret is None:
            raise VaultRowNotOpened("the secret of the sealed record is gone")
        data_key = self._unwrapped(row)
        return row, open_content(row, data_key=data_key, secret=secret)

    def _unwrapped(self, row: SealedRow) -> bytes:
        """The data key; another process may have wrapped it under a key that is new to this one."""
        context = context_of(row)
        try:
            return self._keys.unwrap(row.wrapped_key, context=context)
        except VaultRowNotOpened:
            self._keys.reload()
        return self._keys.unwrap(row.wrapped_key, context=context)

    def index_of(self, envelope: Envelope) -> tuple[list[BlindIndex], list[BlindIndex]]:
        """Indices and likenesses of a row, each under every index key."""
        return (
            self._indices("identifier", envelope.identifiers),
            self._indices("likeness", envelope.likeness),
        )

    def _put(
        self,
        old: SealedRow,
        envelope: Envelope,
        *,
        relike: bool = False,
        absorbed: SealedRow | None = None,
        dropped: Sequence[bytes] = (),
    ) -> None:
        """The next version of a row."""
        row, written = self._written(
            envelope,
            ref=old.ref,
            owner=old.owner,
            kind=old.kind,
            version=old.version + 1,
            write=lambda row: self._store.replace(
                row,
                indices=self._indices("identifier", envelope.identifiers),
                likeness=self._indices("likeness", envelope.likeness) if relike else None,
                absorbed=absorbed,
                dropped=self._indices("identifier", dropped),
            ),
        )
        if not written:
            self._secrets.drop(row.ref, row.version)
            raise VaultRowChanged("the sealed record changed in the meantime")
        self._secrets.settle(row.ref, row.version)

    def _sealed(
        self, envelope: Envelope, *, ref: str, owner: str, kind: str, version: int
    ) -> SealedRow:
        _check_code("owner", owner)
        _check_code("kind", kind)
        context = row_context(ref=ref, owner=owner, kind=kind, version=version)
        data_key, nonce, secret = self._random(32), self._random(12), self._random(32)
        row = SealedRow(
            ref=ref,
            owner=owner,
            kind=kind,
            version=version,
            wrapped_key=self._keys.wrap(data_key, context=context),
            nonce=nonce,
            ciphertext=seal_content(
                envelope, data_key=data_key, secret=secret, nonce=nonce, context=context
            ),
            sealed_at=self._now(),
        )
        self._secrets.put(ref, version, secret)
        return row

    def _written(
        self,
        envelope: Envelope,
        *,
        ref: str,
        owner: str,
        kind: str,
        version: int,
        write: Callable[[SealedRow], _T],
    ) -> tuple[SealedRow, _T]:
        """Seal and write, both anew when keys were rotated elsewhere.

        A write whose outcome is not known leaves its secret behind, so that the row opens if it is
        there; `identity.vault.reconcile` sweeps it if it is not.
        """

        def attempt() -> tuple[SealedRow, _T]:
            row = self._sealed(envelope, ref=ref, owner=owner, kind=kind, version=version)
            return row, write(row)

        return self._under_keys_of_now(attempt)

    def _under_keys_of_now(self, call: Callable[[], _T]) -> _T:
        """What `call` gives; when keys were rotated elsewhere, look for them and call again."""
        for _ in range(_MAX_RELOADS):
            try:
                return call()
            except IndexKeyChanged:
                self._keys.reload()
        return call()

    def _indices(self, use: str, values: Sequence[bytes]) -> list[BlindIndex]:
        """Under every index key; an identifier and a likeness of equal bytes differ."""
        label = use.encode() + b"|"
        return [index for value in values for index in self._keys.blind_indices(label + value)]

    def _new_ref(self) -> str:
        return "vlt_" + base64url_encode(self._random(16))


def _check_code(name: str, value: str) -> None:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise Malformed(f"{name} is not a code of 1 to 128 letters, digits and :._/#@-")
