"""The transactions that an issuing agency puts on the ledger, signed with its ledger key."""

from collections.abc import Callable, Mapping, Sequence

from identity.core.parties import Agency
from registry.core.anchors import AnchorBatch
from registry.core.status import PublishStatus
from registry.core.transactions import Action, Payload, Signature, encode_signed, signing_message


def anchor_batch_transaction(
    agency: Agency,
    *,
    network: str,
    batch: str,
    root: bytes,
    count: int,
    types: Sequence[str],
    random: Callable[[int], bytes],
) -> bytes:
    """Anchor a batch: its root, and how many credentials of which types are under it."""
    action = AnchorBatch(batch=batch, root=root, count=count, types=tuple(types))
    return _signed(agency, network, action, random)


def publish_status_transaction(
    agency: Agency,
    *,
    network: str,
    group: str,
    version: int,
    lists: Mapping[str, bytes],
    random: Callable[[int], bytes],
) -> bytes:
    """Publish the digests of a group's lists, by URI."""
    return _signed(
        agency, network, PublishStatus(group=group, version=version, lists=dict(lists)), random
    )


def _signed(agency: Agency, network: str, action: Action, random: Callable[[int], bytes]) -> bytes:
    # The DID on the ledger is that of the ledger's key; an instance may issue under another one.
    author, _, _ = agency.ledger.verification_method.partition("#")
    payload = Payload(network=network, author=author, nonce=random(16), action=action)
    signature = Signature(
        key=agency.ledger.verification_method,
        value=agency.ledger.sign(signing_message(payload)),
    )
    return encode_signed(payload, [signature])
