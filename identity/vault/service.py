"""Envelope encryption with bound rows, and the audit that comes before every read."""

import re
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.vault.ports import (
    AuditRecord,
    AuditSink,
    BlindIndex,
    NothingSealed,
    Registration,
    SealedRow,
    VaultKeys,
    VaultNotAudited,
    VaultRowChanged,
    VaultRowNotOpened,
    VaultStore,
)
from registry.core.encoding import base64url_encode
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed

MAX_SEALED_BYTES = 256 << 10  # claims of one pending credential; a portrait does not belong here
MIN_AUDIT_SINKS = 2  # one of them may be in the hands of whoever wants to read unseen

_REF = re.compile(r"vlt_[A-Za-z0-9_-]{22}")
# Audit lines hold codes, so nobody types a name into a purpose: no spaces, no foreign letters.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/#@-]{0,127}")


class SealedVault:
    """Keeps the promises of `IdentityVault` over a store, a key provider and audit sinks."""

    def __init__(
        self,
        *,
        store: VaultStore,
        keys: VaultKeys,
        audit: Sequence[AuditSink],
        random: Callable[[int], bytes],
        now: Callable[[], int],
    ) -> None:
        """Join the parts.

        Args:
            store: where sealed rows lie.
            keys: wraps data keys and computes blind indices.
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
        self._audit = tuple(audit)
        self._random = random
        self._now = now

    def seal(self, *, owner: str, kind: str, data: bytes) -> str:
        """As `Vault.seal`."""
        row = self._sealed(ref=self._new_ref(), owner=owner, kind=kind, version=1, data=data)
        return self._store.add(row, index=None)

    def seal_once(self, *, identifier: bytes, owner: str, kind: str, data: bytes) -> Registration:
        """As `IdentityVault.seal_once`."""
        row = self._sealed(ref=self._new_ref(), owner=owner, kind=kind, version=1, data=data)
        ref = self._store.add(row, index=self._index(identifier))
        return Registration(ref=ref, new=ref == row.ref)

    def find(self, identifier: bytes) -> str | None:
        """As `IdentityVault.find`."""
        return self._store.find(self._index(identifier))

    def open(self, ref: str, *, purpose: str, actor: str) -> bytes:
        """As `Vault.open`."""
        self._record("open", ref, purpose=purpose, actor=actor)
        return self._opened(self._row(ref))

    def replace(self, ref: str, *, data: bytes) -> None:
        """As `IdentityVault.replace`."""
        old = self._row(ref)
        row = self._sealed(
            ref=ref, owner=old.owner, kind=old.kind, version=old.version + 1, data=data
        )
        if not self._store.replace(row):
            raise VaultRowChanged("the sealed record changed in the meantime")

    def forget(self, ref: str) -> None:
        """As `Vault.forget`."""
        self._record("forget", ref, purpose="forget", actor="vault")
        self._store.shred(ref, now=self._now())

    def _record(self, action: str, ref: str, *, purpose: str, actor: str) -> None:
        _check_code("purpose", purpose)
        _check_code("actor", actor)
        if not _REF.fullmatch(ref):
            raise NothingSealed("nothing is sealed under this reference")
        entry = AuditRecord(
            id=base64url_encode(self._random(16)),
            time=self._now(),
            action=action,
            ref=ref,
            actor=actor,
            purpose=purpose,
        )
        for sink in self._audit:
            try:
                sink.record(entry)
            except Exception as error:  # whatever it was: without the record there is no read
                raise VaultNotAudited("the audit record could not be written") from error

    def _row(self, ref: str) -> SealedRow:
        row = self._store.read(ref) if _REF.fullmatch(ref) else None
        if row is None or row.ref != ref:
            raise NothingSealed("nothing is sealed under this reference")
        return row

    def _sealed(self, *, ref: str, owner: str, kind: str, version: int, data: bytes) -> SealedRow:
        _check_code("owner", owner)
        _check_code("kind", kind)
        if not 0 < len(data) <= MAX_SEALED_BYTES:
            raise Malformed(f"sealed data has 1 to {MAX_SEALED_BYTES} bytes")
        context = row_context(ref=ref, owner=owner, kind=kind, version=version)
        data_key, nonce = self._random(32), self._random(12)
        return SealedRow(
            ref=ref,
            owner=owner,
            kind=kind,
            version=version,
            wrapped_key=self._keys.wrap(data_key, context=context),
            nonce=nonce,
            ciphertext=AESGCM(data_key).encrypt(nonce, data, context),
            sealed_at=self._now(),
        )

    def _opened(self, row: SealedRow) -> bytes:
        context = row_context(ref=row.ref, owner=row.owner, kind=row.kind, version=row.version)
        data_key = self._keys.unwrap(row.wrapped_key, context=context)
        try:
            return AESGCM(data_key).decrypt(row.nonce, row.ciphertext, context)
        except (InvalidTag, ValueError) as error:
            raise VaultRowNotOpened("the sealed record does not open") from error

    def _index(self, identifier: bytes) -> BlindIndex:
        if not identifier:
            raise Malformed("an empty identifier has no index")
        return self._keys.blind_index(identifier)

    def _new_ref(self) -> str:
        return "vlt_" + base64url_encode(self._random(16))


def row_context(*, ref: str, owner: str, kind: str, version: int) -> bytes:
    """The associated data that binds a ciphertext and its key to one version of one row."""
    parts = (owner, kind, ref, str(version))
    return labelled_hash("cairn/vault-row/v1", *(part.encode("utf-8") for part in parts))


def _check_code(name: str, value: str) -> None:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise Malformed(f"{name} is not a code of 1 to 128 letters, digits and :._/#@-")
