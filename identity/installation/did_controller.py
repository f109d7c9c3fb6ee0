"""Creates, rotates and deactivates a DID with the keys of its controller's key files.

One key file is one generation of keys. A file is written once and never changed; rotation brings in
the file of the next generation, whose ledger key the ledger has been waiting for by its digest.
Keep that file somewhere else: then the thief of today's file cannot keep the DID.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from identity.core.signing import PrivateKey
from registry.core.compromise import CompromisedKeys
from registry.core.did import (
    INVOCATION,
    RECOVERY,
    DidDetails,
    RecoveryKey,
    VerificationMethod,
    key_commitment,
)
from registry.core.did_actions import CreateDid, DeactivateDid, UpdateDid
from registry.core.did_record import DidRecord
from registry.core.hashing import labelled_hash
from registry.core.refusals import Conflict, NotFound, NotPermitted
from registry.core.transaction_receipt import TransactionReceipt
from registry.core.transactions import (
    Action,
    Payload,
    Signature,
    derive_did,
    encode_signed,
    signing_message,
)

# Names in the key file, their fragments before the number, their purposes.
_USES = (
    ("ledger", "ledger", INVOCATION),
    ("data-integrity", "di", "assertionMethod"),
    ("jose", "jose", "assertionMethod"),
)


class NoSuchDid(NotFound):
    """The ledger has no such DID."""


class KeyNotListed(NotPermitted):
    """The DID does not list the key of this file for what it is to sign."""


class NothingToDo(Conflict):
    """The DID is deactivated already, or does not have what is to be retired."""


class DidRegistry(Protocol):
    """The ledger as a controller sees it; `registry.client.RegistryClient` keeps this promise."""

    @property
    def network(self) -> str:
        """Name of the network."""
        ...

    def submit(self, raw: bytes) -> TransactionReceipt:
        """Submit a signed transaction; final when this returns, and safe to repeat."""
        ...

    def did_record(self, did: str) -> DidRecord | None:
        """The newest version of a DID, proven, or None when its absence is proven."""
        ...

    def compromised_keys(self, did: str) -> CompromisedKeys | None:
        """Which keys of a DID were declared stolen, proven, or None when none was."""
        ...


class Keys(Protocol):
    """The keys of one generation, by their names in its key file."""

    def __getitem__(self, name: str) -> PrivateKey: ...


@dataclass(frozen=True, slots=True)
class DidController:
    """Acts for controllers of DIDs at one registry."""

    registry: DidRegistry

    def create(
        self,
        keys: Keys,
        *,
        names: Sequence[str],
        following: Keys | None = None,
        recovery: PrivateKey | None = None,
    ) -> str:
        """Create a DID; the same keys and names give the same one, however often.

        Args:
            keys: the first generation; every one of them signs.
            names: other names of the controller.
            following: the next generation, of which the ledger gets a digest.
            recovery: may rotate when the others are lost.
        """
        details = DidDetails(
            verification_methods=_methods(keys, 1),
            also_known_as=tuple(names),
            next_key_commitments=_commitments(following),
            recovery=(RecoveryKey(fragment="recovery-1", key=recovery.key),) if recovery else (),
        )
        signers = _by_fragment(keys, 1) | ({"recovery-1": recovery} if recovery else {})
        action = CreateDid(details=details)
        return derive_did(self._submit("", action, signers))

    def rotate(
        self,
        did: str,
        *,
        signer: PrivateKey,
        new: Keys,
        following: Keys | None = None,
        retired: Iterable[str] = (),
    ) -> DidRecord:
        """Bring in the next generation; the ledger keys before it go.

        Credential keys stay listed, so that what they signed still verifies, until they are
        retired. After a lost answer it can be called again.

        Args:
            signer: a ledger key, or a recovery key, that the DID lists.
            new: the next generation.
            following: the one after, of which the ledger gets a digest.
            retired: fragments of credential keys that go now.

        Raises:
            NoSuchDid, KeyNotListed, NothingToDo: see there.
            Refusal: of the rules; `KeyNotCommitted` when `new` is not what was committed to.
        """
        record = self.record(did)
        if new["ledger"].key in record.details.invocation_keys:
            return record
        gone = frozenset(retired)
        kept = tuple(m for m in record.details.verification_methods if m.purpose != INVOCATION)
        if not gone <= {method.fragment for method in kept}:
            raise NothingToDo("the DID has no credential key under a fragment to be retired")
        number = record.version + 1  # nothing was ever called by the number of a version to come
        details = replace(
            record.details,
            verification_methods=(
                *_methods(new, number),
                *(method for method in kept if method.fragment not in gone),
            ),
            next_key_commitments=_commitments(following),
        )
        signers = {_fragment_of(record, signer): signer, **_by_fragment(new, number)}
        self._submit(did, UpdateDid(version=record.version, details=details), signers)
        return self.record(did)

    def add_key(
        self,
        did: str,
        *,
        signer: PrivateKey,
        kind: str,
        new: PrivateKey,
        retired: Iterable[str] = (),
    ) -> str:
        """Bring in one more credential key; the ledger key stays. Safe to repeat.

        When the DID lists the key already, those to be retired go all the same.

        Args:
            signer: a ledger key that the DID lists.
            kind: `jose` or `di`: the fragment before its number.
            new: the key; it signs too.
            retired: fragments of credential keys that go now.

        Returns:
            The fragment of the new key.

        Raises:
            NoSuchDid, KeyNotListed, NothingToDo: see there.
        """
        record = self.record(did)
        methods = record.details.verification_methods
        known = next((method for method in methods if method.key == new.key), None)
        gone = frozenset(retired)
        others = {m.fragment for m in methods if m.purpose != INVOCATION and m != known}
        if not gone <= others:
            raise NothingToDo("the DID has no credential key under a fragment to be retired")
        if known is not None and not gone:
            return known.fragment
        kept = tuple(method for method in methods if method.fragment not in gone)
        signers = {_fragment_of(record, signer): signer}
        if known is None:
            fragment = f"{kind}-{record.version + 1}"  # as in `rotate`
            known = VerificationMethod(fragment=fragment, key=new.key, purpose="assertionMethod")
            kept = (*kept, known)
            signers[known.fragment] = new
        details = replace(record.details, verification_methods=kept)
        self._submit(did, UpdateDid(version=record.version, details=details), signers)
        return known.fragment

    def deactivate(self, did: str, *, signer: PrivateKey) -> DidRecord:
        """Deactivate a DID, for ever.

        Raises:
            NoSuchDid, KeyNotListed, NothingToDo: see there.
        """
        record = self.record(did)
        signers = {_fragment_of(record, signer): signer}
        self._submit(did, DeactivateDid(version=record.version), signers)
        return self.record(did, may_be_gone=True)

    def record(self, did: str, *, may_be_gone: bool = False) -> DidRecord:
        """The newest version of a DID, which is not deactivated unless it `may_be_gone`.

        Raises:
            NoSuchDid, NothingToDo: see there.
        """
        record = self.registry.did_record(did)
        if record is None:
            raise NoSuchDid("the ledger has no such DID")
        if record.deactivated and not may_be_gone:
            raise NothingToDo("the DID is deactivated")
        return record

    def _submit(self, did: str, action: Action, signers: Mapping[str, PrivateKey]) -> Payload:
        payload = self._payload(did, action)
        message = signing_message(payload)
        signatures = [
            Signature(key=f"{did}#{fragment}", value=key.sign(message))
            for fragment, key in signers.items()
        ]
        self.registry.submit(encode_signed(payload, signatures))
        return payload

    def _payload(self, author: str, action: Action) -> Payload:
        # What follows from the content makes a repeated command the same transaction.
        unsigned = Payload(
            network=self.registry.network, author=author, nonce=bytes(16), action=action
        )
        nonce = labelled_hash("cairn/controller-nonce/v1", signing_message(unsigned))[:16]
        return replace(unsigned, nonce=nonce)


def _methods(keys: Keys, number: int) -> tuple[VerificationMethod, ...]:
    return tuple(
        VerificationMethod(fragment=f"{fragment}-{number}", key=keys[name].key, purpose=purpose)
        for name, fragment, purpose in _USES
    )


def _by_fragment(keys: Keys, number: int) -> dict[str, PrivateKey]:
    return {f"{fragment}-{number}": keys[name] for name, fragment, _ in _USES}


def _commitments(following: Keys | None) -> tuple[bytes, ...]:
    return (key_commitment(following["ledger"].key),) if following else ()


def _fragment_of(record: DidRecord, signer: PrivateKey) -> str:
    for fragment, key, purpose in record.details.held:
        if key == signer.key and purpose in (INVOCATION, RECOVERY):
            return fragment
    raise KeyNotListed("the DID does not list this key for transactions")
