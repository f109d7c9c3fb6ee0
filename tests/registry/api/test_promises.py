"""Absence is proven, accreditation is judged by height, and forbidden schemas stop at the rule.

Over HTTP, and checked as a reader would: by the pinned trust anchor, and by nothing the node says.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.core.accreditation import Accreditation
from registry.core.accreditation_actions import EndAccreditation, SuspendAccreditation
from registry.core.anchors import AnchorBatch
from registry.core.checkpoint import Head, verify_head
from registry.core.encoding import base64url_encode, canonical_json
from registry.core.hashing import sha256
from registry.core.merkle_log import inclusion_path, leaf_hash, root_of
from registry.core.proofs import NotProven
from registry.core.receipt import build_receipt, parse_receipt, receipt_json, verify_receipt
from registry.core.schemas import PublishSchema
from registry.core.sparse_map import parse_map_proof, verify_map_proof
from registry.core.transactions import Payload, signing_message
from tests.registry.authors import NETWORK, fresh_nonce, new_did
from tests.registry.core.heads import NOW
from tests.registry.governed import Governed, governed, identifier

NEVER = new_did("never made")[1].did
DIGESTS = [sha256(b"credential %d" % number) for number in range(5)]
LEAVES = [leaf_hash(digest) for digest in DIGESTS]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Governed]:
    """One member; a university that issues degrees, and has anchored five of them."""
    with governed(tmp_path, "ministry") as running:
        running.join("university")
        running.act("ministry", running.grant("university", "degree"))
        running.act("university", batch("first"))
        yield running


def batch(name: str, type: str = "degree") -> AnchorBatch:
    return AnchorBatch(
        batch=identifier(name), root=root_of(LEAVES), count=len(DIGESTS), types=(type,)
    )


def get(network: Governed, path: str) -> Any:
    answer = network.http.get(path)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def proven(network: Governed, body: Any, key: str) -> tuple[Any, Head]:
    """What a reader knows: the key is its own, the head is signed, and the proof leads there."""
    head = verify_head(body["head"], network.trust, now=NOW)
    value = None if body["record"] is None else canonical_json(body["record"])
    verify_map_proof(parse_map_proof(body["proof"]), key=key, value=value, root=head.state_root)
    return body["record"], head


def refused(network: Governed, name: str, action: Any, status: int, kind: str) -> None:
    before = network.ledger.head()
    answer = network.post(name, action)

    assert answer.status == status, answer.body
    assert json.loads(answer.body)["type"].endswith(kind)
    assert network.ledger.head() == before


# --- absence


def test_a_did_that_was_never_made(network: Governed) -> None:
    body = get(network, f"/registry/dids/{NEVER}?proof=true")

    assert proven(network, body, f"did/{NEVER}")[0] is None
    assert network.client.did_record(NEVER) is None


def test_the_absence_of_one_key_proves_nothing_about_another(network: Governed) -> None:
    body = get(network, f"/registry/dids/{NEVER}?proof=true")

    with pytest.raises(NotProven):
        proven(network, body, f"did/{network.did('university')}")


def test_what_is_there_cannot_be_denied(network: Governed) -> None:
    there = network.did("university")
    absent = get(network, f"/registry/dids/{NEVER}?proof=true")
    present = get(network, f"/registry/dids/{there}?proof=true")

    for lie in (
        present | {"record": None},
        absent | {"proof": absent["proof"] | {"key": f"did/{there}"}},
    ):
        with pytest.raises(NotProven):
            proven(network, lie, f"did/{there}")


def test_an_issuer_whose_accreditation_ended(network: Governed) -> None:
    did, grant = network.did("university"), network.grant("university", "degree")
    anchored = network.client.head().height
    ending = EndAccreditation(accreditation=grant.accreditation, reason="closed")
    network.act("ministry", ending)

    # The list of all that it ever held is proven, so no active one was left out of it.
    body = get(network, f"/registry/accreditations?subject={did}&proof=true")
    listed, head = proven(network, body["listed"], f"accreditations/{did}")
    assert listed["accreditations"] == [grant.accreditation]
    (item,) = body["accreditations"]
    record, at = proven(network, item, f"accreditation/{grant.accreditation}")
    assert at == head
    assert record["ended"] == {"height": anchored + 1, "reason": "closed"}
    found = Accreditation.parse(record)
    assert not found.covers("degree", head.height)
    assert found.covers("degree", anchored)
    assert not network.client.is_accredited(did, "degree", head.height)
    assert network.client.is_accredited(did, "degree", anchored)
    refused(network, "university", batch("late"), 403, "may-not-anchor")


def test_an_issuer_that_never_was_one(network: Governed) -> None:
    did = network.join("stranger")

    body = get(network, f"/registry/accreditations?subject={did}&proof=true")

    assert proven(network, body["listed"], f"accreditations/{did}")[0] is None
    assert body["accreditations"] == []


def test_a_batch_that_was_never_made(network: Governed) -> None:
    did, other = network.did("university"), identifier("never")

    body = get(network, f"/registry/batches/{did}/{other}?proof=true")

    assert proven(network, body, f"batch/{did}/{other}")[0] is None
    assert network.client.batch(did, other) is None


def test_a_digest_that_was_never_anchored(network: Governed) -> None:
    did, stranger = network.did("university"), sha256(b"never issued")
    body = get(network, f"/registry/batches/{did}/{identifier('first')}?proof=true")
    record, _ = proven(network, body, f"batch/{did}/{identifier('first')}")

    # All digests of the batch, as the issuer publishes them: no other list has this root.
    assert record["root"] == base64url_encode(root_of(LEAVES))
    assert record["count"] == len(DIGESTS)
    assert stranger not in DIGESTS
    more = [*LEAVES[:-1], leaf_hash(stranger)]
    assert record["root"] != base64url_encode(root_of(more))

    # Nor does any receipt lead from it to the batch.
    held = network.client.batch(did, identifier("first"))
    assert held is not None
    for index in range(len(DIGESTS)):
        good = receipt_json(
            build_receipt(
                digest=DIGESTS[index],
                index=index,
                path=inclusion_path(LEAVES, index),
                batch=held.record,
                proof=held.proof,
                head=held.head,
            )
        )
        assert verify_receipt(
            parse_receipt(good), digest=DIGESTS[index], anchor=network.trust, now=NOW
        )
        forged = parse_receipt(good | {"digest": base64url_encode(stranger)})
        with pytest.raises(NotProven):
            verify_receipt(forged, digest=stranger, anchor=network.trust, now=NOW)


# --- accreditation by type and height


def test_who_is_accredited_for_degrees_anchors_no_driving_licence(network: Governed) -> None:
    refused(network, "university", batch("cars", "driving-licence"), 403, "may-not-anchor")
    mixed = AnchorBatch(
        batch=identifier("both"), root=bytes(32), count=1, types=("degree", "driving-licence")
    )
    refused(network, "university", mixed, 403, "may-not-anchor")

    did = network.did("university")
    assert not network.client.is_accredited(did, "driving-licence", network.client.head().height)


def test_suspended_at_a_height_it_is_refused_after_and_believed_before(network: Governed) -> None:
    did = network.did("university")
    older = network.client.batch(did, identifier("first"))
    assert older is not None
    suspended = network.client.submit_transaction(
        network.did("ministry"),
        network.people["ministry"],
        SuspendAccreditation(
            accreditation=network.grant("university", "degree").accreditation, reason="audit"
        ),
    ).height

    refused(network, "university", batch("second"), 403, "may-not-anchor")
    assert network.client.is_accredited(did, "degree", older.record.height)
    assert network.client.is_accredited(did, "degree", suspended - 1)
    assert not network.client.is_accredited(did, "degree", suspended)
    receipt = build_receipt(
        digest=DIGESTS[0],
        index=0,
        path=inclusion_path(LEAVES, 0),
        batch=older.record,
        proof=older.proof,
        head=older.head,
    )
    anchored = verify_receipt(receipt, digest=DIGESTS[0], anchor=network.trust, now=NOW)
    assert network.client.is_accredited(anchored.issuer, "degree", anchored.height)


# --- forbidden schemas


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ({"religion": {"type": "string", "maxLength": 20}}, "category-forbidden"),
        ({"fingerprint_template": {"type": "string", "maxLength": 20}}, "category-forbidden"),
        ({"dna": {"type": "string", "maxLength": 20}}, "category-forbidden"),
        ({"remarks": {"type": "string"}}, "text-unbounded"),
        ({"remarks": {"type": "string", "maxLength": 501}}, "text-unbounded"),
    ],
)
@pytest.mark.parametrize("signer", ["ministry", "university"])
def test_whoever_signs_a_forbidden_schema_is_refused(
    network: Governed, properties: Any, kind: str, signer: str
) -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/schemas/degree/1/schema.json",
        "title": "Degree",
        "type": "object",
        "properties": properties,
        "required": [],
    }

    answer = post_raw(network, signer, schema)

    assert answer.status == 403, answer.body
    assert json.loads(answer.body)["type"].endswith(kind)
    body = get(network, "/registry/schemas/degree/1?proof=true")
    assert proven(network, body, "schema/degree/1")[0] is None


def post_raw(network: Governed, signer: str, schema: Any) -> Any:
    """Sign and send without our encoder, which would refuse to write it."""
    author = network.people[signer]
    action = PublishSchema(name="degree", version="1", schema=schema)
    payload = Payload(network=NETWORK, author=author.did, nonce=fresh_nonce(), action=action)
    signature = base64url_encode(author.sign(signing_message(payload)))
    whole = {
        "payload": payload.to_object(),
        "signatures": [{"key": author.verification_method, "value": signature}],
    }
    return network.http.post("/registry/transactions", canonical_json(whole))
