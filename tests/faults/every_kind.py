"""A ledger that holds hundreds of entries of every kind, a few dozen to a block."""

import threading
from pathlib import Path

import apsw

from registry.core.accreditation_actions import (
    Accredit,
    EndAccreditation,
    ReinstateAccreditation,
    SuspendAccreditation,
)
from registry.core.anchors import AnchorBatch
from registry.core.did_actions import DeactivateDid, UpdateDid
from registry.core.encoding import base64url_encode
from registry.core.hashing import sha256
from registry.core.relying_party import AskedClaims, RegisteredPurpose, RegisterRelyingParty
from registry.core.schemas import PublishSchema
from registry.core.status import PublishStatus
from registry.core.transactions import Action
from registry.ledger.embedded import EmbeddedLedger
from tests.registry.authors import (
    CREATED,
    Author,
    UnsafeHeadSigner,
    UnsafeKey,
    details_of,
    genesis,
    new_did,
    root_author,
)

ISSUERS = 20  # each does one thing of every kind; the DIDs of as many citizens' services on top
KINDS = 12


def write_every_kind(path: Path) -> int:
    """Write the ledger, all of it in the file itself; returns the number of entries."""
    ledger = EmbeddedLedger.open(
        path, genesis=genesis(), signer=UnsafeHeadSigner(), now=lambda: CREATED + 10
    )
    for step in _steps():
        _together(ledger, step)
    size = ledger.health().size
    ledger._database._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    ledger.close()
    return size


def _id(name: str) -> str:
    return base64url_encode(sha256(name.encode())[:16])


def _steps() -> list[list[bytes]]:
    """What depends on earlier steps comes later; within a step the order does not matter."""
    root = root_author()
    created = [new_did(f"issuer {number}") for number in range(ISSUERS)]
    parties = [new_did(f"party {number}") for number in range(ISSUERS)]
    authors = [author for _, author in created]

    def ask(name: str, author: Author, action: Action) -> bytes:
        return author.transaction(action, nonce=sha256(f"{name} {author.did}".encode())[:16])

    def all_of(name: str, action: "object") -> list[bytes]:
        assert callable(action)
        return [ask(name, author, action(number)) for number, author in enumerate(authors)]

    def by_root(name: str, action: "object") -> list[bytes]:
        assert callable(action)
        return [ask(f"{name} {number}", root, action(number)) for number in range(ISSUERS)]

    def accredit(number: int) -> Accredit:
        return Accredit(
            accreditation=_id(f"accreditation {number}"),
            subject=authors[number].did,
            role="issuer",
            types=(f"kind-{number}",),
            until_height=None,
        )

    def schema(number: int) -> PublishSchema:
        return PublishSchema(
            name=f"kind-{number}",
            version="1",
            schema={
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": f"https://example.org/schemas/kind-{number}/1/schema.json",
                "title": "Degree 学位",
                "type": "object",
                "properties": {"degree_name": {"type": "string", "maxLength": 200}},
                "required": ["degree_name"],
            },
        )

    def anchor(number: int) -> AnchorBatch:
        return AnchorBatch(
            batch=_id(f"batch {number}"),
            root=sha256(b"root %d" % number),
            count=1 + number,
            types=(f"kind-{number}",),
        )

    def status(version: int) -> "object":
        return lambda number: PublishStatus(
            group=_id(f"group {number}"),
            version=version,
            lists={f"https://issuer-{number}.example/status": sha256(b"%d" % version)},
        )

    def register(number: int) -> RegisterRelyingParty:
        asked = AskedClaims(type=f"kind-{number}", claims=(("degree_name",),))
        purpose = RegisteredPurpose(
            purpose="age-check", description={"en": "To check", "zh": "核实"}, credentials=(asked,)
        )
        return RegisterRelyingParty(
            party=parties[number][1].did, name=f"Bar {number}", purposes=(purpose,)
        )

    def change(kind: "object") -> "object":
        assert callable(kind)
        return lambda number: kind(accreditation=_id(f"accreditation {number}"), reason="audit")

    def update(number: int) -> UpdateDid:
        return UpdateDid(
            version=1,
            details=details_of(UnsafeKey(f"issuer {number}")),
        )

    return [
        [raw for raw, _ in created],
        [raw for raw, _ in parties],
        by_root("accredit", accredit),
        all_of("schema", schema),
        all_of("anchor", anchor),
        all_of("status", status(1)),
        all_of("status again", status(2)),
        by_root("register", register),
        by_root("suspend", change(SuspendAccreditation)),
        by_root("reinstate", change(ReinstateAccreditation)),
        by_root("end", change(EndAccreditation)),
        all_of("update", update),
        [
            ask("deactivate", author, DeactivateDid(version=1))
            for author in (author for _, author in parties)
        ],
        [new_did(f"late {number}")[0] for number in range(4 * ISSUERS)],
    ]


def _together(ledger: EmbeddedLedger, raws: list[bytes]) -> None:
    """Submit so that they share blocks: the writer's turn is taken until all have queued up."""
    failures: list[BaseException] = []

    def submit(raw: bytes) -> None:
        try:
            ledger.submit(raw)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=submit, args=(raw,)) for raw in raws]
    with ledger._turn:
        for thread in threads:
            thread.start()
        while len(ledger._queue) < len(raws):
            threading.Event().wait(0.001)
        # The order in which threads queue up is chance; the same ledger every time is better.
        ledger._queue = type(ledger._queue)(sorted(ledger._queue, key=lambda item: item.raw))
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
