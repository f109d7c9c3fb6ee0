"""The envelope of transactions: one byte string for one request, and a refusal for all else."""

import json
from typing import Any

import pytest

from registry.core.accreditation_actions import Accredit
from registry.core.did import DidDetails
from registry.core.did_actions import CreateDid, DeactivateDid
from registry.core.encoding import base64url_encode, canonical_json
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed
from registry.core.transactions import (
    ACTIONS,
    MAX_TRANSACTION_BYTES,
    Payload,
    Signature,
    derive_did,
    encode_payload,
    encode_signed,
    parse_transaction,
    signing_message,
    transaction_id,
)
from tests.registry.core.actors import NETWORK, P256Pair, method, nonce, pair, sign

AUTHOR = "did:cairn:cairn-test:fhCoC7Gr9RjE7fK5s9QadCTHUsZ"
CREATE = Payload(
    network=NETWORK,
    author="",
    nonce=nonce("envelope"),
    action=CreateDid(details=DidDetails(verification_methods=(method("ledger-1", pair("a")),))),
)
DEACTIVATE = Payload(
    network=NETWORK, author=AUTHOR, nonce=nonce("envelope"), action=DeactivateDid(version=1)
)


def envelope() -> dict[str, Any]:
    """A transaction that parses, as an object to be spoilt."""
    data = sign(DEACTIVATE, {f"{AUTHOR}#ledger-1": pair("a")})
    parse_transaction(data)
    result: dict[str, Any] = json.loads(data)
    return result


def test_a_transaction_goes_there_and_back() -> None:
    data = sign(CREATE, {"#ledger-1": pair("a")})

    transaction = parse_transaction(data)

    assert transaction.payload == CREATE
    assert canonical_json(transaction.to_object()) == data
    assert encode_signed(transaction.payload, transaction.signatures) == data


def test_every_action_of_the_ledger_is_known() -> None:
    assert set(ACTIONS) == {
        "create-did",
        "update-did",
        "deactivate-did",
        "accredit",
        "suspend-accreditation",
        "reinstate-accreditation",
        "end-accreditation",
        "publish-schema",
        "anchor-batch",
        "publish-status",
        "register-relying-party",
        "propose",
        "vote",
        "record-disclosure",
        "declare-compromise",
    }


def test_the_id_comes_from_the_payload_and_not_from_signatures() -> None:
    # Both halves of the malleable pair verify; neither may make another transaction.
    held = P256Pair(7)
    value = held.sign(signing_message(CREATE))
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = value[:32] + (order - int.from_bytes(value[32:], "big")).to_bytes(32, "big")

    one, other = (
        parse_transaction(encode_signed(CREATE, [Signature(key="#ledger-1", value=signature)]))
        for signature in (value, twin)
    )

    assert one != other
    assert one.id == other.id == transaction_id(CREATE)
    assert one.id == labelled_hash("cairn/tx/v1", encode_payload(CREATE)).hex()


def test_the_did_is_derived_from_the_creation() -> None:
    transaction = parse_transaction(sign(CREATE, {"#ledger-1": pair("a")}))

    assert transaction.author == derive_did(CREATE)
    assert transaction.author.startswith(f"did:cairn:{NETWORK}:")


def test_another_nonce_is_another_did_and_another_transaction() -> None:
    other = Payload(network=NETWORK, author="", nonce=nonce("other"), action=CREATE.action)

    assert derive_did(other) != derive_did(CREATE)
    assert transaction_id(other) != transaction_id(CREATE)


def test_the_signed_message_begins_with_its_type() -> None:
    assert signing_message(CREATE) == b"cairn-transaction/1\0" + encode_payload(CREATE)


SPOILT: dict[str, Any] = {
    "unknown member of the transaction": lambda t: t.update(extra=1),
    "no payload": lambda t: t.pop("payload"),
    "no signatures": lambda t: t.pop("signatures"),
    "empty signatures": lambda t: t["signatures"].clear(),
    "signatures that are no array": lambda t: t.update(signatures={}),
    "a signature that is no object": lambda t: t["signatures"].append("x"),
    "one key twice": lambda t: t["signatures"].append(dict(t["signatures"][0])),
    "17 signatures": lambda t: t["signatures"].extend(
        {"key": f"#{n}", "value": "AAAA"} for n in range(16)
    ),
    "unknown member of a signature": lambda t: t["signatures"][0].update(alg="none"),
    "an empty key": lambda t: t["signatures"][0].update(key=""),
    "a long key": lambda t: t["signatures"][0].update(key="k" * 193),
    "a key that is no string": lambda t: t["signatures"][0].update(key=["x"]),
    "an empty signature": lambda t: t["signatures"][0].update(value=""),
    "a long signature": lambda t: t["signatures"][0].update(value="A" * 129),
    "padding": lambda t: t["signatures"][0].update(value="AAA="),
    "trailing bits": lambda t: t["signatures"][0].update(value="AB"),
    "a payload that is no object": lambda t: t.update(payload=[]),
    "unknown member of the payload": lambda t: t["payload"].update(extra=1),
    "no nonce": lambda t: t["payload"].pop("nonce"),
    "a short nonce": lambda t: t["payload"].update(nonce=base64url_encode(bytes(15))),
    "a long nonce": lambda t: t["payload"].update(nonce=base64url_encode(bytes(17))),
    "another type": lambda t: t["payload"].update(type="cairn-transaction/2"),
    "no network": lambda t: t["payload"].update(network=""),
    "a network in capitals": lambda t: t["payload"].update(network="Cairn"),
    "a network with a line end": lambda t: t["payload"].update(network="cairn-test\n"),
    "an author of another network": lambda t: t["payload"].update(network="other"),
    "an author of another method": lambda t: t["payload"].update(author="did:web:example.org"),
    "an author with a fragment": lambda t: t["payload"].update(author=AUTHOR + "#ledger-1"),
    "an author whose id is too short": lambda t: t["payload"].update(author=AUTHOR[:-1]),
    "no author": lambda t: t["payload"].update(author=""),
    "an unknown action": lambda t: t["payload"].update(action="mint"),
    "an action that is no string": lambda t: t["payload"].update(action=["create-did"]),
    "a body that is no object": lambda t: t["payload"].update(body=[]),
    "unknown member of the body": lambda t: t["payload"]["body"].update(extra=1),
    "version 0": lambda t: t["payload"]["body"].update(version=0),
    "a version that is true": lambda t: t["payload"]["body"].update(version=True),
    "a version that is a fraction": lambda t: t["payload"]["body"].update(version=1.5),
    "a version beyond 2^53": lambda t: t["payload"]["body"].update(version=2**53),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_transaction_is_refused(name: str) -> None:
    transaction = envelope()

    SPOILT[name](transaction)

    data = json.dumps(transaction, separators=(",", ":"), sort_keys=True).encode()
    with pytest.raises(Malformed):
        parse_transaction(data)


def test_a_creation_names_no_author() -> None:
    transaction = json.loads(sign(CREATE, {"#ledger-1": pair("a")}))
    transaction["payload"]["author"] = AUTHOR

    with pytest.raises(Malformed):
        parse_transaction(canonical_json(transaction))


@pytest.mark.parametrize(
    "respell",
    [
        lambda data: data + b" ",
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b":", b": ", 1),
        lambda data: data.replace(b'"version":1', b'"version":1.0'),
        lambda data: data.replace(b"cairn-test", b"cairn\\u002dtest", 1),
        lambda data: json.dumps(dict(reversed(json.loads(data).items()))).encode(),
        lambda data: data.replace(b'"version":1', b'"version":1,"version":1'),
        lambda data: data.decode().encode("utf-16"),
        lambda data: data[:-1],
        lambda _data: b"",
        lambda _data: b"[]",
        lambda _data: b"null",
        lambda _data: b"\xff",
    ],
)
def test_the_same_in_other_bytes_is_refused(respell: Any) -> None:
    data = canonical_json(envelope())
    parse_transaction(data)

    with pytest.raises(Malformed):
        parse_transaction(respell(data))


def test_a_transaction_has_an_end() -> None:
    transaction = envelope()
    transaction["payload"]["body"]["padding"] = "x" * MAX_TRANSACTION_BYTES

    with pytest.raises(Malformed, match="longer than"):
        parse_transaction(canonical_json(transaction))


def test_what_could_not_be_parsed_is_not_encoded() -> None:
    action = Accredit(
        accreditation="short", subject=AUTHOR, role="issuer", types=("degree",), until_height=None
    )
    payload = Payload(network=NETWORK, author=AUTHOR, nonce=nonce("x"), action=action)

    with pytest.raises(Malformed):
        encode_signed(payload, [Signature(key="k", value=bytes(64))])


def test_a_transaction_without_signatures_is_not_encoded() -> None:
    with pytest.raises(Malformed):
        encode_signed(CREATE, [])
