"""From messages of ABCI to the application and back; nothing is decided here."""

from collections.abc import Callable, Mapping
from typing import Any

from registry.core.encoding import canonical_json, parse_json
from registry.core.genesis import Genesis
from registry.core.sparse_map import map_proof_json
from registry.core.validators import ValidatorUpdate
from registry.ledger.comet.application import (
    ALREADY_APPLIED,
    NOT_FOUND,
    OK,
    Application,
    Outcome,
    OutOfOrder,
    raw_digest,
)
from registry.ledger.comet.file import MemberFile, forget
from registry.ledger.comet.snapshots import (
    FORMAT,
    Restoration,
    Snapshot,
    SnapshotRefused,
    SnapshotSource,
)
from registry.ledger.comet.wire import new_message
from registry.ledger.store.reading import proven_value

APP_VERSION = 1  # of the block format that this application speaks; in every header
CODESPACE = "cairn"

# Results of the snapshot and proposal messages, as types.proto numbers them.
_SNAPSHOT_ACCEPT, _SNAPSHOT_REJECT = 1, 3
_CHUNK_ACCEPT, _CHUNK_REJECT_SNAPSHOT = 1, 5
_ACCEPT, _REJECT = 1, 2


class Dispatcher:
    """Answers each kind of request; called from one thread for each connection."""

    def __init__(
        self,
        application: Application,
        *,
        file: MemberFile,
        genesis: Genesis,
        version: str,
        snapshots: SnapshotSource,
        on_checked: Callable[[bytes, Outcome], None],
        on_restored: Callable[[], None],
        retain_blocks: int = 0,
    ) -> None:
        """
        Args:
            application: what decides.
            file: its ledger.
            genesis: of the network.
            version: of this software.
            snapshots: what this member offers to those who join.
            on_checked: told what CheckTx said, by the digest of the transaction's bytes.
            on_restored: told that a snapshot has filled the ledger.
            retain_blocks: how many blocks the engine keeps; 0 for all.
        """
        self._application = application
        self._file = file
        self._genesis = genesis
        self._version = version
        self._snapshots = snapshots
        self._on_checked = on_checked
        self._on_restored = on_restored
        self._retain_blocks = retain_blocks
        self._restoration: Restoration | None = None
        self._kinds: Mapping[str, Callable[[Any], Any]] = {
            "echo": lambda request: new_message("ResponseEcho", message=request.message),
            "info": self._info,
            "init_chain": self._init_chain,
            "query": self._query,
            "check_tx": self._check_tx,
            "prepare_proposal": self._prepare_proposal,
            "process_proposal": self._process_proposal,
            "finalize_block": self._finalize_block,
            "commit": self._commit,
            "list_snapshots": self._list_snapshots,
            "offer_snapshot": self._offer_snapshot,
            "load_snapshot_chunk": self._load_snapshot_chunk,
            "apply_snapshot_chunk": self._apply_snapshot_chunk,
            # Votes carry no extensions: they stay disabled in the consensus parameters.
            "extend_vote": lambda _: new_message("ResponseExtendVote"),
            "verify_vote_extension": lambda request: new_message(
                "ResponseVerifyVoteExtension",
                status=_REJECT if request.vote_extension else _ACCEPT,
            ),
        }

    def __call__(self, kind: str, request: Any) -> Any:
        """Answer one request; what is raised stops the node."""
        return self._kinds[kind](request)

    def _info(self, _: Any) -> Any:
        height, app_hash = self._application.info()
        return new_message(
            "ResponseInfo",
            data="cairn",
            version=self._version,
            app_version=APP_VERSION,
            last_block_height=height,
            last_block_app_hash=app_hash,
        )

    def _init_chain(self, request: Any) -> Any:
        app_hash = self._application.init_chain(
            chain_id=request.chain_id,
            app_state=request.app_state_bytes,
            validators={item.pub_key.ed25519: item.power for item in request.validators},
            height=request.initial_height,
        )
        self._on_restored()  # the ledger has begun, and readers may look
        return new_message("ResponseInitChain", app_hash=app_hash)

    def _query(self, request: Any) -> Any:
        """`/record` with a key as data: its record, a proof, and the head of the newest commit."""
        committed = self._application.committed
        if request.path != "/record" or committed is None:
            return new_message(
                "ResponseQuery", code=NOT_FOUND, codespace=CODESPACE, log="only /record is answered"
            )
        try:
            key = request.data.decode("utf-8")
            with self._file.reading() as rows:
                value, proof = proven_value(rows, key, committed.head)
        except Exception as error:  # noqa: BLE001 - a reader's question must not stop the node
            return new_message(
                "ResponseQuery", code=NOT_FOUND, codespace=CODESPACE, log=type(error).__name__
            )
        answer = {
            "record": None if value is None else parse_json(value),
            "proof": map_proof_json(proof),
            "head": committed.head.text,
        }
        return new_message(
            "ResponseQuery",
            key=request.data,
            value=canonical_json(answer),
            height=committed.engine_height,
        )

    def _check_tx(self, request: Any) -> Any:
        outcome = self._application.check(request.tx)
        self._on_checked(raw_digest(request.tx), outcome)
        return new_message(
            "ResponseCheckTx", code=outcome.code, codespace=_codespace(outcome), log=_log(outcome)
        )

    def _prepare_proposal(self, request: Any) -> Any:
        chosen = self._application.prepare(request.txs, max_bytes=request.max_tx_bytes)
        return new_message("ResponsePrepareProposal", txs=chosen)

    def _process_proposal(self, request: Any) -> Any:
        accepted = self._application.accepts(request.txs)
        return new_message("ResponseProcessProposal", status=_ACCEPT if accepted else _REJECT)

    def _finalize_block(self, request: Any) -> Any:
        finalized = self._application.finalize(
            height=request.height, time=request.time.seconds, transactions=request.txs
        )
        return new_message(
            "ResponseFinalizeBlock",
            tx_results=[
                new_message(
                    "ExecTxResult",
                    code=outcome.code,
                    codespace=_codespace(outcome),
                    log=_log(outcome),
                )
                for outcome in finalized.outcomes
            ],
            validator_updates=[_update(item) for item in finalized.updates],
            app_hash=finalized.app_hash,
        )

    def _commit(self, _: Any) -> Any:
        self._application.commit()
        height, _app_hash = self._application.info()
        retain = max(0, height - self._retain_blocks) if self._retain_blocks else 0
        return new_message("ResponseCommit", retain_height=retain)

    def _list_snapshots(self, _: Any) -> Any:
        return new_message(
            "ResponseListSnapshots",
            snapshots=[
                new_message(
                    "Snapshot",
                    height=item.engine_height,
                    format=FORMAT,
                    chunks=len(item.digests),
                    hash=item.hash,
                    metadata=item.metadata,
                )
                for item in self._snapshots.offered()
            ],
        )

    def _offer_snapshot(self, request: Any) -> Any:
        committed = self._application.committed
        if committed is not None and committed.engine_height:
            raise OutOfOrder("a snapshot is restored into an empty ledger only")
        offer = request.snapshot
        try:
            snapshot = Snapshot.parse(
                engine_height=offer.height,
                format=offer.format,
                chunks=offer.chunks,
                hash=offer.hash,
                metadata=offer.metadata,
            )
        except SnapshotRefused:
            return new_message("ResponseOfferSnapshot", result=_SNAPSHOT_REJECT)
        self._empty()
        self._restoration = Restoration(
            self._file, genesis=self._genesis, snapshot=snapshot, app_hash=request.app_hash
        )
        return new_message("ResponseOfferSnapshot", result=_SNAPSHOT_ACCEPT)

    def _load_snapshot_chunk(self, request: Any) -> Any:
        if request.format != FORMAT:
            return new_message("ResponseLoadSnapshotChunk")
        chunk = self._snapshots.chunk(request.height, request.chunk)
        return new_message("ResponseLoadSnapshotChunk", chunk=chunk)

    def _apply_snapshot_chunk(self, request: Any) -> Any:
        restoration = self._restoration
        if restoration is None:
            raise OutOfOrder("a chunk comes without a snapshot")
        try:
            is_last = restoration.apply(request.index, request.chunk)
        except SnapshotRefused:
            self._restoration = None
            self._empty()
            return new_message(
                "ResponseApplySnapshotChunk",
                result=_CHUNK_REJECT_SNAPSHOT,
                reject_senders=[request.sender] if request.sender else [],
            )
        if is_last:
            restoration.finish()
            self._restoration = None
            self._application.restored()
            self._on_restored()
        return new_message("ResponseApplySnapshotChunk", result=_CHUNK_ACCEPT)

    def _empty(self) -> None:
        with self._file.writing() as rows:
            forget(rows)


def _update(update: ValidatorUpdate) -> Any:
    key = new_message("PublicKey", ed25519=update.key.data)
    return new_message("ValidatorUpdate", pub_key=key, power=update.power)


def _codespace(outcome: Outcome) -> str:
    """Hashed, like the code: so it says no more than the code does."""
    return "" if outcome.code == OK else CODESPACE


def _log(outcome: Outcome) -> str:
    """For the engine's own log; not hashed."""
    if outcome.code == ALREADY_APPLIED:
        return "already applied"
    return type(outcome.error).__name__ if outcome.error else ""
