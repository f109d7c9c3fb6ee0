"""Every parser that reads what strangers send, as a function of bytes; only refusals may leave it.

`python -m tests.fuzz 50000` runs them under coverage guidance; `tests/fuzz/test_parsers.py` a few
hundred times each without.
"""

from collections.abc import Callable
from typing import Any

from identity.core import (
    cose,
    dcql,
    dpop,
    encrypted_answer,
    jose,
    json_schema,
    key_attestation,
    key_proof,
    sd_jwt,
    sd_jwt_vc,
    status_list,
)
from identity.core.certificates import read_certificate
from identity.core.data_integrity.bbs_values import parse_bbs_base_proof, parse_bbs_derived_proof
from identity.core.data_integrity.ecdsa_sd_values import parse_base_proof, parse_derived_proof
from identity.core.date_time import parse_date_time_stamp
from identity.core.mdoc import format as mdoc
from identity.core.status_list import cwt
from identity.core.strict_cbor import parse_cbor
from identity.core.verification import envelopes, presented
from identity.demo.holder import read_link
from registry.consortium.bundle import parse_bundle
from registry.consortium.contribution import parse_contribution
from registry.core import encoding, keys
from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.cosignature import parse_witness_key
from registry.core.did_url import parse_did, parse_did_url
from registry.core.did_web import parse_web_document, web_url
from registry.core.head import parse_head
from registry.core.key_documents import jwk_document, key_document
from registry.core.light_client.parsing import parse_light_block
from registry.core.receipt import parse_receipt
from registry.core.refusals import Refusal
from registry.core.signed_note import parse_note, parse_verifier_key
from registry.core.sparse_map import parse_map_proof
from registry.core.transactions import parse_transaction
from registry.core.witnessing import parse_add_checkpoint
from tests.adversary.judging import BINDING, SECONDS, Judge
from tests.attacks.signed_kinds import DID, KEY, LIST, URL, take_pseudonym

ANSWER_KEY = encrypted_answer.AnswerKey(scalar=(7).to_bytes(32, "big"))
_JUDGE = Judge(frozenset({DID}))
_DEMAND = key_attestation.AttestationDemand(trusted_keys=(KEY.key,))

Target = Callable[[bytes], object]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _of_text(parse: Callable[[str], object]) -> Target:
    return lambda data: parse(_text(data))


def _of_json(parse: Callable[[Any], object]) -> Target:
    return lambda data: parse(encoding.parse_json(data))


def _judged(data: bytes) -> None:
    """Whatever it is, it is judged; and it is no credential that verifies by accident."""
    value = encoding.parse_json(data)
    for verdict in (_JUDGE.credential(value), _JUDGE.presentation(value)):
        if verdict.is_verified and b"urn:uuid:7b8ef8c2" not in data and b"data:" not in data:
            raise AssertionError("something verified")


def _sd_jwt(data: bytes) -> None:
    parsed = sd_jwt.parse_sd_jwt(_text(data))
    sd_jwt.open_disclosures(parsed)
    sd_jwt_vc.read_unverified(parsed)


def _status_token(data: bytes) -> None:
    claims = jose.parse_compact(_text(data)).claims
    status_list.parse_status_token(claims, uri=LIST, now=SECONDS)


def _bitstring(value: Any) -> None:
    credential = value if isinstance(value, dict) else {}
    status_list.parse_bitstring_entries(credential)
    status_list.parse_bitstring_credential(credential, uri=LIST, purpose="revocation")


def _schema(value: Any) -> None:
    entry = {"id": "https://s.example/1", "type": "JsonSchema"}
    json_schema.check_schema_of({"a": [1]}, entry, value if isinstance(value, dict) else {})


def _did(text: str) -> None:
    for read in (parse_did, parse_did_url, key_document, jwk_document, web_url):
        try:
            read(text)
        except Refusal:
            continue


def _multibase(text: str) -> None:
    for read in (
        encoding.multibase_decode,
        encoding.base58_decode,
        encoding.base64url_decode,
        encoding.base64_decode,
        keys.parse_multikey,
        keys.parse_did_key,
    ):
        try:
            read(text)
        except Refusal:
            continue


def _sd_value(text: str) -> None:
    for read in (
        parse_base_proof,
        parse_derived_proof,
        parse_bbs_base_proof,
        parse_bbs_derived_proof,
    ):
        try:
            read(text)
        except Refusal:
            continue


def _envelope(data: bytes) -> None:
    subtype, _, text = _text(data).partition(",")
    member = "vp" if subtype.startswith("vp") else "vc"
    opened = envelopes.open_secured(subtype, text, member=member)
    envelopes.verify_envelope(opened, key=KEY.key, now=SECONDS)


TARGETS: dict[str, Target] = {
    "compact-jws": _of_text(jose.parse_compact),
    "sd-jwt": _sd_jwt,
    "cose": cose.parse_sign1,
    "cbor": lambda data: parse_cbor(data, tags={0, 1, 18, 24, 1004}),
    "envelope": _envelope,
    "credential": _judged,
    "presentation-entry": _of_json(
        lambda value: [presented.parse_presentation(value, kind) for kind in dcql.CredentialFormat]
    ),
    "data-integrity-value": _of_text(_sd_value),
    "status-token": _status_token,
    "status-bitstring": _of_json(_bitstring),
    "status-cwt": lambda data: cwt.verify_status_cwt(data, key=KEY.key, uri=LIST, now=SECONDS),
    "json-schema": _of_json(_schema),
    "dcql": _of_json(dcql.parse_dcql),
    "key-proof": _of_text(
        lambda text: key_proof.verify_key_proof(text, audience=BINDING["audience"], now=SECONDS)
    ),
    "dpop": _of_text(
        lambda text: dpop.verify_dpop(text, method="POST", url=URL, access_token=None, now=SECONDS)
    ),
    "pseudonym": _of_text(take_pseudonym),
    "key-attestation": _of_text(
        lambda text: key_attestation.verify_attestation(text, _DEMAND, now=SECONDS, needs_end=False)
    ),
    "jwe": _of_text(lambda text: encrypted_answer.decrypt_answer(text, ANSWER_KEY)),
    "mdoc": mdoc.parse_device_response,
    "mdoc-issuer-signed": mdoc.parse_issuer_signed,
    "certificate": read_certificate,
    "request-object": _of_text(lambda text: jose.parse_compact(text).claims),
    "link": _of_text(read_link),
    "date-time": _of_text(parse_date_time_stamp),
    "json": encoding.parse_json,
    "canonical-json": lambda data: encoding.canonical_json(encoding.parse_json(data)),
    "multibase": _of_text(_multibase),
    "jwk": _of_json(keys.parse_jwk),
    "did-url": _of_text(_did),
    "did-document": lambda data: parse_web_document(data, "did:web:e.example"),
    "transaction": parse_transaction,
    "checkpoint": parse_head,
    "signed-note": parse_note,
    "verifier-key": _of_text(parse_verifier_key),
    "witness-key": _of_text(parse_witness_key),
    "add-checkpoint": parse_add_checkpoint,
    "receipt": _of_json(parse_receipt),
    "map-proof": _of_json(parse_map_proof),
    "trust-anchor": _of_json(parse_trust_anchor),
    "light-block": parse_light_block,
    "contribution": parse_contribution,
    "bundle": parse_bundle,
}


def run(name: str, data: bytes) -> str:
    """What the target said: the name of a refusal, or `read`; anything else leaves."""
    try:
        TARGETS[name](data)
    except Refusal as refusal:
        return type(refusal).__name__
    return "read"
