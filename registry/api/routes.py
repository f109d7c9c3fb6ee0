"""The registry's routes: reads with proofs, the log, and the one way to change anything."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from registry.api.governance_routes import build_governance_router
from registry.api.light_routes import build_light_router
from registry.api.messages import (
    AccreditationsAnswer,
    ConsistencyAnswer,
    EntriesAnswer,
    HeadsAnswer,
    HealthAnswer,
    InclusionAnswer,
    RecordAnswer,
    TransactionAnswer,
)
from registry.api.ports import LightBlocks, SubmissionLimit
from registry.core.accreditation import AccreditationList
from registry.core.any_trust_anchor import AnyTrustAnchor, trust_anchor_json
from registry.core.checkpoint import parse_head
from registry.core.encoding import parse_json_object
from registry.core.fields import MAX_INTEGER
from registry.core.records import (
    accreditation_key,
    accreditations_key,
    batch_key,
    did_key,
    did_version_key,
    relying_party_key,
    schema_key,
    status_list_key,
)
from registry.core.refusals import NotFound
from registry.core.sparse_map import MAX_KEY_BYTES
from registry.ledger.port import MAX_ENTRIES, Ledger
from registry.problems import responses
from registry.routers import join_routers
from registry.witness.cosigned import CosignedHeads, NotWitnessed

MAX_ANSWER_BYTES = 1 << 20  # of log entries in one answer; at least one is always sent

LIMIT_RETRY_SECONDS = 60  # what a client is told that creates too many DIDs

# Every other spelling of a creation is refused as not canonical, before it costs anything.
MAX_SUBMISSIONS = 64  # at a time, on threads of their own: readers need theirs meanwhile
CREATION = b'{"payload":{"action":"create-did",'

_DID = r"^did:cairn:[a-z0-9-]{1,32}:[1-9A-HJ-NP-Za-km-z]{20,28}$"
_ID = r"^[A-Za-z0-9_-]{22}$"

Route = TypeVar("Route", bound=Callable[..., Any])
DidPath = Annotated[str, Path(pattern=_DID, description="A did:cairn identifier")]
Prove = Annotated[bool, Query(description="Answer with a proof, of absence too")]
Height = Annotated[
    int | None, Query(ge=0, le=MAX_INTEGER, description="An earlier height; newest by default")
]
Size = Annotated[
    int, Query(ge=1, le=MAX_INTEGER, description="Entries in the log of a signed head")
]


class NoSuchRecord(NotFound):
    """The state holds nothing under this key."""


class NoSuchTransaction(NotFound):
    """The ledger holds no transaction with this identifier."""


def build_router(
    ledger: Ledger,
    trust: AnyTrustAnchor | Callable[[], AnyTrustAnchor],
    *,
    new_dids: SubmissionLimit | None = None,
    cosigned: CosignedHeads | None = None,
    light_blocks: LightBlocks | None = None,
) -> APIRouter:
    """All routes below `/registry`.

    Args:
        ledger: the engine behind them.
        trust: handed out for convenience; a reader pins its own copy. A consortium's moves on.
        new_dids: bounds what one network address may create; None for callers of our own.
        cosigned: heads that have their quorum of witnesses; None when no witnesses are asked.
        light_blocks: of the consortium's engine; None on any other.
    """
    router = APIRouter(prefix="/registry")
    _add_records(router, ledger)
    _add_log(router, ledger)
    _add_transactions(router, ledger, new_dids)

    @router.get(
        "/head",
        tags=["log"],
        response_class=PlainTextResponse,
        responses=responses(404, 422, 503),
        summary="The signed head",
    )
    def read_head(
        height: Height = None,
        with_quorum: Annotated[
            bool,
            Query(alias="cosigned", description="Only a head that enough witnesses co-signed"),
        ] = False,
    ) -> str:
        """A C2SP checkpoint: log root, height, time and state root, signed by the consortium.

        With `cosigned=true`, the newest head that enough witnesses have co-signed, or the one of
        `height`: 503 while its quorum is pending, 404 where no witnesses are asked.
        """
        if not with_quorum:
            return ledger.head(height)
        if cosigned is None:
            raise NotWitnessed("this registry asks no witnesses")
        return cosigned.cosigned(height)

    @router.get(
        "/trust-anchor",
        tags=["log"],
        response_model=dict[str, Any],
        summary="What a reader pins",
    )
    def read_trust_anchor() -> dict[str, Any]:
        """Compare it with a copy from elsewhere: trust does not begin with an answer of ours."""
        return trust_anchor_json(trust() if callable(trust) else trust)

    @router.get("/health", tags=["operation"], summary="Whether the ledger takes transactions")
    def read_health() -> HealthAnswer:
        """A ledger that is not writable goes on answering reads."""
        health = ledger.health()
        return HealthAnswer(writable=health.writable, height=health.height, size=health.size)

    return join_routers(router, build_governance_router(ledger), build_light_router(light_blocks))


def _add_records(router: APIRouter, ledger: Ledger) -> None:
    documented = responses(400, 404, 422, 503)

    def read(key: str, *, proof: bool, height: int | None) -> RecordAnswer:
        proven = ledger.read(key, prove=proof, height=height)
        if proven.value is None and not proof:
            raise NoSuchRecord("the ledger holds no such record")
        return RecordAnswer.of(proven)

    def add(path: str, summary: str) -> Callable[[Route], Route]:
        return router.get(path, tags=["records"], responses=documented, summary=summary)

    @add("/records", "A record by its state key")
    def read_record(
        key: Annotated[str, Query(min_length=1, max_length=MAX_KEY_BYTES)],
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """What the state holds under a key. With `proof=true` absence is an answer, not a 404."""
        return read(key, proof=proof, height=height)

    @add("/dids/{did}", "A DID record")
    def read_did(
        did: DidPath,
        version: Annotated[int | None, Query(ge=1, le=MAX_INTEGER)] = None,
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """The newest version of a DID, or the one asked for."""
        key = did_key(did) if version is None else did_version_key(did, version)
        return read(key, proof=proof, height=height)

    @add("/accreditations", "The accreditations of a subject")
    def read_accreditations(
        subject: Annotated[str, Query(pattern=_DID)],
        proof: Prove = False,
        height: Height = None,
    ) -> AccreditationsAnswer:
        """The list of identifiers and every record on it, under one head."""
        listed = ledger.read(accreditations_key(subject), prove=proof, height=height)
        if listed.value is None:
            answer = read(listed.key, proof=proof, height=height)
            return AccreditationsAnswer(listed=answer, accreditations=[])
        # The list only grows; each record is read at the height the list was read at.
        identifiers = AccreditationList.parse(listed.value).accreditations
        at = _height_of(listed.head)
        return AccreditationsAnswer(
            listed=RecordAnswer.of(listed),
            accreditations=[
                read(accreditation_key(identifier), proof=proof, height=at)
                for identifier in identifiers
            ],
        )

    @add("/accreditations/{accreditation}", "An accreditation")
    def read_accreditation(
        accreditation: Annotated[str, Path(pattern=_ID)],
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """Who may do what for which credential types, by whose word, from height to height."""
        return read(accreditation_key(accreditation), proof=proof, height=height)

    @add("/schemas/{name}/{version}", "A schema")
    def read_schema(
        name: Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,63}$")],
        version: Annotated[str, Path(pattern=r"^[1-9][0-9]{0,5}$")],
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """A published JSON Schema of a credential type; a version never changes."""
        return read(schema_key(name, version), proof=proof, height=height)

    @add("/batches/{issuer}/{batch}", "An anchored batch")
    def read_batch(
        issuer: DidPath,
        batch: Annotated[str, Path(pattern=_ID)],
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """Merkle root and count of the salted credential digests that an issuer anchored."""
        return read(batch_key(issuer, batch), proof=proof, height=height)

    @add("/status-lists", "The newest record of a status list")
    def read_status_list(
        uri: Annotated[str, Query(min_length=1, max_length=512)],
        proof: Prove = False,
        height: Height = None,
    ) -> RecordAnswer:
        """Digest and version of what its issuer last published under this URI."""
        return read(status_list_key(uri), proof=proof, height=height)

    @add("/relying-parties/{did}", "A registered relying party")
    def read_relying_party(
        did: DidPath, proof: Prove = False, height: Height = None
    ) -> RecordAnswer:
        """Who it is, for which purposes it may ask, and for which claims."""
        return read(relying_party_key(did), proof=proof, height=height)


def _add_log(router: APIRouter, ledger: Ledger) -> None:
    documented = responses(404, 422, 503)

    @router.get("/log/entries", tags=["log"], responses=documented, summary="Log entries")
    def read_entries(
        start: Annotated[int, Query(ge=0, le=MAX_INTEGER)],
        count: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 64,
    ) -> EntriesAnswer:
        """Entries from `start` on; fewer than asked for at the end, or when they are long."""
        size = ledger.health().size
        sent = 0
        entries: list[dict[str, Any]] = []
        for data in ledger.entries(start, count):
            if entries and sent + len(data) > MAX_ANSWER_BYTES:
                break
            sent += len(data)
            entries.append(parse_json_object(data))
        return EntriesAnswer(start=start, entries=entries, size=size)

    @router.get("/log/heads", tags=["log"], responses=documented, summary="Signed heads")
    def read_heads(
        start: Annotated[int, Query(ge=0, le=MAX_INTEGER)],
        count: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 64,
    ) -> HeadsAnswer:
        """Heads from height `start` on, one for each height; fewer than asked for at the end."""
        heights = range(start, min(start + count, ledger.health().height + 1))
        return HeadsAnswer(start=start, heads=[ledger.head(height) for height in heights])

    @router.get(
        "/log/inclusion", tags=["log"], responses=documented, summary="Proof that an entry is there"
    )
    def read_inclusion(
        index: Annotated[int, Query(ge=0, le=MAX_INTEGER)], size: Size
    ) -> InclusionAnswer:
        """`size` is that of a signed head: the newest, or that of a receipt."""
        return InclusionAnswer.of(ledger.inclusion(index, size))

    @router.get(
        "/log/consistency",
        tags=["log"],
        responses=documented,
        summary="Proof that nothing was rewritten",
    )
    def read_consistency(first: Size, second: Size) -> ConsistencyAnswer:
        """Leads from the log of one signed head to that of a later one."""
        return ConsistencyAnswer.of(ledger.consistency(first, second))


def _add_transactions(router: APIRouter, ledger: Ledger, new_dids: SubmissionLimit | None) -> None:
    waiting = CapacityLimiter(MAX_SUBMISSIONS)

    @router.post(
        "/transactions",
        status_code=201,
        tags=["transactions"],
        response_model=TransactionAnswer,
        responses=responses(400, 403, 404, 409, 413, 415, 422, 429, 503),
        summary="Submit a signed transaction",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["payload", "signatures"],
                            "properties": {
                                "payload": {"type": "object"},
                                "signatures": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 16,
                                    "items": {"type": "object"},
                                },
                            },
                            "additionalProperties": False,
                        }
                    }
                },
            }
        },
    )
    async def submit_transaction(request: Request) -> TransactionAnswer:
        """Canonical JSON of at most 256 KiB. Answers when it is final; safe to repeat."""
        media = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media != "application/json":
            raise HTTPException(415)
        raw = await request.body()
        if new_dids is not None and raw.startswith(CREATION):
            client = request.client.host if request.client else "unknown"
            if not new_dids.admit(client):
                raise HTTPException(429, headers={"Retry-After": str(LIMIT_RETRY_SECONDS)})
        return TransactionAnswer.of(await to_thread.run_sync(ledger.submit, raw, limiter=waiting))

    @router.get(
        "/transactions/{transaction}",
        tags=["transactions"],
        responses=responses(404, 422, 503),
        summary="The receipt of a transaction",
    )
    def read_transaction(
        transaction: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
    ) -> TransactionAnswer:
        """Where in the ledger it is; 404 when it is no part of it."""
        receipt = ledger.receipt(transaction)
        if receipt is None:
            raise NoSuchTransaction("the ledger holds no such transaction")
        return TransactionAnswer.of(receipt)


def _height_of(head: str) -> int:
    return parse_head(head).claimed.height
