"""The rules of the ledger, run unchanged by every engine: a transaction becomes changes, or a no.

`apply` is a function of its arguments and nothing else. Whatever bytes come in, it returns changes
or raises a `Refusal`.
"""

from collections.abc import Callable
from typing import Any

from registry.core import (
    accreditation_actions,
    accreditation_rules,
    anchors,
    compromise,
    did_actions,
    did_rules,
    disclosure,
    governance_rules,
    proposals,
    relying_party,
    schemas,
    status,
)
from registry.core.authorship import verify_authorship
from registry.core.context import Context
from registry.core.did_record import DidRecord
from registry.core.network_record import NetworkRecord
from registry.core.records import (
    NETWORK_KEY,
    Block,
    Changes,
    StateDamaged,
    StateReader,
    TransactionRecord,
    read_record,
    transaction_key,
)
from registry.core.refusals import Conflict, NotPermitted
from registry.core.transactions import SignedTransaction

__all__ = ["AlreadyApplied", "Block", "Changes", "StateReader", "WrongNetwork", "apply"]


class WrongNetwork(NotPermitted):
    """The transaction was signed for another network."""


class AlreadyApplied(Conflict):
    """This transaction is part of the ledger, at `height` and as entry `index` of the log."""

    def __init__(self, detail: str, *, height: int, index: int) -> None:
        super().__init__(detail)
        self.height = height
        self.index = index


# What each action does. Those on the author's own DID are called by name below.
_RULES: dict[type, Callable[[Any, Context], dict[str, bytes]]] = {
    did_actions.CreateDid: did_rules.create,
    accreditation_actions.Accredit: accreditation_rules.accredit,
    accreditation_actions.SuspendAccreditation: accreditation_rules.suspend,
    accreditation_actions.ReinstateAccreditation: accreditation_rules.reinstate,
    accreditation_actions.EndAccreditation: accreditation_rules.end,
    schemas.PublishSchema: schemas.publish_schema,
    anchors.AnchorBatch: anchors.anchor_batch,
    status.PublishStatus: status.publish_status,
    relying_party.RegisterRelyingParty: relying_party.register_relying_party,
    proposals.Propose: governance_rules.propose,
    proposals.CastVote: governance_rules.vote,
    disclosure.RecordDisclosure: disclosure.record_disclosure,
    compromise.DeclareCompromise: compromise.declare_compromise,
}


def apply(tx: SignedTransaction, *, state: StateReader, block: Block) -> Changes:
    """What a transaction changes, in this state and this block.

    Args:
        tx: from `parse_transaction`.
        state: the state before the transaction, with all earlier ones of the same block in it.
        block: where the engine puts the transaction.

    Returns:
        The records to put; among them the transaction's own, under `tx/<id>`. Never empty.

    Raises:
        Refusal: one of those that the rules declare; nothing is to be changed. `AlreadyApplied`
            when the same payload was applied before, whatever its signatures are now.
    """
    network = read_record(state, NETWORK_KEY, NetworkRecord.parse)
    if network is None:
        raise StateDamaged("the state has no network")
    if tx.payload.network != network.network:
        raise WrongNetwork("the transaction is for another network")
    key = transaction_key(tx.id)
    applied = read_record(state, key, TransactionRecord.parse)
    if applied is not None:
        raise AlreadyApplied(
            f"the transaction was applied at height {applied.height}",
            height=applied.height,
            index=applied.index,
        )
    authorship = verify_authorship(tx, state=state)
    context = Context(
        state=state,
        block=block,
        network=network,
        author=authorship.author,
        transaction=tx.id,
    )
    action = tx.payload.action
    if isinstance(action, did_actions.UpdateDid):
        changes = did_rules.update(
            action,
            context,
            record=_existing(authorship.record),
            by_recovery=authorship.by_recovery,
        )
    elif isinstance(action, did_actions.DeactivateDid):
        changes = did_rules.deactivate(action, context, record=_existing(authorship.record))
    else:
        changes = _RULES[type(action)](action, context)
    return {**changes, key: TransactionRecord(height=block.height, index=block.index).encode()}


def _existing(record: DidRecord | None) -> DidRecord:
    if record is None:  # only a creation has no record, and it is not handled with one
        raise StateDamaged("the author has no record")
    return record
