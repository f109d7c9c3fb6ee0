"""Creating, updating and deactivating DIDs: who may replace which keys.

Pre-rotation: a controller may publish digests of its next ledger keys. From then on only a key
whose digest was published becomes a ledger key, and the digests change only together with such a
key. So the thief of today's key cannot keep the DID.

Recovery: keys that the record names for it may sign `update-did` when the others are lost. Such an
update is not bound by the digests, and only such an update changes the recovery keys.
"""

from collections.abc import Mapping

from registry.core.context import Context
from registry.core.did import DidDetails, key_commitment
from registry.core.did_actions import CreateDid, DeactivateDid, UpdateDid
from registry.core.did_addresses import check_addresses
from registry.core.did_record import DidRecord, FragmentRecord
from registry.core.keys import PublicKey
from registry.core.records import (
    Block,
    StateReader,
    did_fragment_key,
    did_key,
    did_version_key,
    read_record,
)
from registry.core.refusals import Conflict, NotPermitted


class DidExists(Conflict):
    """A DID is created once."""


class DidVersionConflict(Conflict):
    """The DID has moved on from the version that the update was made for."""


class FragmentTaken(Conflict):
    """A fragment names one key, for one purpose, for ever."""


class KeyMoved(Conflict):
    """A key keeps its fragment, and so its purpose, for as long as it is in use."""


class KeyNotCommitted(NotPermitted):
    """Next keys were committed to, and this update brings in another or drops the commitment."""


class RecoveryKeyNeeded(NotPermitted):
    """The recovery keys change only under the signature of one of them."""


def create(action: CreateDid, context: Context) -> dict[str, bytes]:
    """Create the author's DID.

    Raises:
        DidExists: it exists.
        AddressMayNamePerson: as `check_addresses`.
    """
    check_addresses(action.details)
    if context.state.get(did_key(context.author)) is not None:
        raise DidExists("this DID exists")
    return first_version(context.author, action.details, block=context.block)


def first_version(did: str, details: DidDetails, *, block: Block) -> dict[str, bytes]:
    """What the creation of a DID puts into the state."""
    record = DidRecord(
        did=did,
        version=1,
        created_height=block.height,
        created_time=block.time,
        height=block.height,
        time=block.time,
        deactivated=False,
        details=details,
    )
    return {**_versions(record), **_fragments(did, details, block=block)}


def update(
    action: UpdateDid, context: Context, *, record: DidRecord, by_recovery: bool
) -> dict[str, bytes]:
    """Replace what the author's DID says.

    Args:
        record: its newest version.
        by_recovery: whether a recovery key of that version signed.

    Raises:
        DidVersionConflict, FragmentTaken, KeyMoved, KeyNotCommitted, RecoveryKeyNeeded: as they
            say.
        AddressMayNamePerson: as `check_addresses`.
    """
    before, after = record.details, action.details
    _check_version(action.version, record)
    check_addresses(after)
    _check_fragments(record.did, after, context.state)
    _check_moves(before, after)
    if not by_recovery:
        _check_commitments(before, after)
        if before.recovery and set(before.recovery) != set(after.recovery):
            raise RecoveryKeyNeeded("the recovery keys change only under one of them")
    changed = _following(record, after, context.block, deactivated=False)
    return {
        **_versions(changed),
        **_fragments(record.did, after, block=context.block, new_to=before),
    }


def deactivate(action: DeactivateDid, context: Context, *, record: DidRecord) -> dict[str, bytes]:
    """Deactivate the author's DID.

    Raises:
        DidVersionConflict: it has moved on.
    """
    _check_version(action.version, record)
    nothing = DidDetails(verification_methods=())
    return _versions(_following(record, nothing, context.block, deactivated=True))


def _following(
    record: DidRecord, details: DidDetails, block: Block, *, deactivated: bool
) -> DidRecord:
    return DidRecord(
        did=record.did,
        version=record.version + 1,
        created_height=record.created_height,
        created_time=record.created_time,
        height=block.height,
        time=block.time,
        deactivated=deactivated,
        details=details,
    )


def _versions(record: DidRecord) -> dict[str, bytes]:
    data = record.encode()
    return {did_key(record.did): data, did_version_key(record.did, record.version): data}


def _fragments(
    did: str, details: DidDetails, *, block: Block, new_to: DidDetails | None = None
) -> dict[str, bytes]:
    """The records that bind the fragments of new keys."""
    known = _held(new_to) if new_to else {}
    return {
        did_fragment_key(did, fragment): FragmentRecord(
            key=key, purpose=purpose, height=block.height
        ).encode()
        for fragment, (key, purpose) in _held(details).items()
        if fragment not in known
    }


def _held(details: DidDetails) -> Mapping[str, tuple[PublicKey, str]]:
    """Every key, with its purpose, by its fragment."""
    return {fragment: (key, purpose) for fragment, key, purpose in details.held}


def _check_version(version: int, record: DidRecord) -> None:
    if version != record.version:
        raise DidVersionConflict(f"the DID is at version {record.version}")


def _check_fragments(did: str, after: DidDetails, state: StateReader) -> None:
    # Also against keys of the past: an old signature must never find a new key under its key id.
    for fragment, held in _held(after).items():
        bound = read_record(state, did_fragment_key(did, fragment), FragmentRecord.parse)
        if bound is not None and (bound.key, bound.purpose) != held:
            raise FragmentTaken("a fragment has named another key, or another purpose")
    for service in after.services:
        if state.get(did_fragment_key(did, service.fragment)) is not None:
            raise FragmentTaken("a fragment has named a key")


def _check_moves(before: DidDetails, after: DidDetails) -> None:
    fragment_of = {key: fragment for fragment, (key, _) in _held(before).items()}
    for fragment, (key, _) in _held(after).items():
        if fragment_of.get(key, fragment) != fragment:
            raise KeyMoved("a key in use changes its fragment")


def _check_commitments(before: DidDetails, after: DidDetails) -> None:
    committed = before.next_key_commitments
    if not committed:
        return
    added = [key for key in after.invocation_keys if key not in before.invocation_keys]
    if not all(key_commitment(key) in committed for key in added):
        raise KeyNotCommitted("a new ledger key was not committed to")
    # Recovery keys override commitments: who may not change the ones may not bring in the others.
    kept = set(after.next_key_commitments) == set(committed) and set(after.recovery) == set(
        before.recovery
    )
    if not kept and not added:
        raise KeyNotCommitted("commitments and recovery keys change only with a committed key")
