"""Seeds for the parsers: one or two valid objects of each kind, in the repository as files.

`python -m tests.fuzz.corpus` writes those that can be made here; files that a finding left stay.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.core import jose, status_list
from identity.core.encrypted_answer import encrypt_answer
from registry.core.any_trust_anchor import trust_anchor_json
from registry.core.cosignature import witness_key
from registry.core.encoding import canonical_json
from registry.core.keys import KeyType
from registry.core.receipt import receipt_json
from registry.core.signed_note import verifier_key
from registry.core.witnessing import AddCheckpoint, encode_add_checkpoint
from tests.adversary.kinds import Embedded, plain
from tests.adversary.strict_kinds import STAGE, Derived, StrictSdJwt
from tests.attacks.signed_kinds import DID, KEY, KINDS, LIST
from tests.fuzz.targets import ANSWER_KEY, TARGETS
from tests.identity.core.signers import signer
from tests.registry.core.story import story

ED = signer(KeyType.ED25519, 9)
FOLDER = Path(__file__).with_name("corpus")


def seeds(name: str) -> list[bytes]:
    """The files of one target, in the order of their names."""
    return [path.read_bytes() for path in sorted((FOLDER / name).glob("*"))]


_ISSUER_SIGNED = {
    "nameSpaces": {"n": [cbor2.CBORTag(24, cbor2.dumps({"digestID": 0, "random": bytes(16)}))]},
    "issuerAuth": [cbor2.dumps({1: -7}), {33: b"certificate"}, b"\xa0", bytes(64)],
}


def _certificate() -> bytes:
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fuzz")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=900))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("e.example")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def _text(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _made() -> dict[str, list[bytes]]:
    derived = Derived()
    document = json.loads(derived.twin)
    strict = StrictSdJwt()
    embedded = Embedded("eddsa-jcs-2022", KeyType.ED25519, plain)
    receipt = strict.held[0].receipt
    assert receipt is not None
    head = receipt.head if isinstance(receipt.head, str) else ""
    envelopes = [
        f"{kind},{_text(KINDS[kind]).decode()}{'~' if 'sd-jwt' in kind else ''}".encode()
        for kind in ("vc+jwt", "vp+jwt", "vc+sd-jwt", "vp+sd-jwt")
    ]
    return {
        "compact-jws": [_text(KINDS["vc+jwt"])],
        "sd-jwt": [_text(strict.twin)],
        "cose": [KINDS["vc+cose"]],
        "cbor": [KINDS["statuslist+cwt"], b"\xa2\x01\x81\x61a\x02\xf9\x3c\x00"],
        "envelope": envelopes,
        "credential": [embedded.twin, canonical_json(KINDS["presentation with a proof"])],
        "presentation-entry": [
            canonical_json(strict.twin),
            canonical_json(KINDS["presentation with a proof"]),
        ],
        "data-integrity-value": [_text(document["proof"]["proofValue"])],
        "status-token": [_text(KINDS["statuslist+jwt"])],
        "status-bitstring": [
            canonical_json(
                {
                    "id": LIST,
                    "type": ["VerifiableCredential", "BitstringStatusListCredential"],
                    "credentialSubject": {
                        "type": "BitstringStatusList",
                        "statusPurpose": "revocation",
                        "encodedList": status_list.encode_bitstring(bytes(16_384)),
                    },
                    "credentialStatus": {
                        "type": "BitstringStatusListEntry",
                        "statusPurpose": "revocation",
                        "statusListIndex": "7",
                        "statusListCredential": LIST,
                    },
                }
            )
        ],
        "status-cwt": [KINDS["statuslist+cwt"]],
        "json-schema": [
            canonical_json(
                {
                    "$id": "https://s.example/1",
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "properties": {"a": {"items": {"type": "integer"}, "minItems": 1}},
                }
            )
        ],
        "dcql": [
            canonical_json(
                {
                    "credentials": [
                        {
                            "id": "one",
                            "format": "dc+sd-jwt",
                            "meta": {"vct_values": ["https://e.example/t"]},
                            "claims": [{"id": "a", "path": ["name", 0, None], "values": ["x"]}],
                            "claim_sets": [["a"]],
                        }
                    ],
                    "credential_sets": [{"options": [["one"]], "required": True}],
                }
            )
        ],
        "key-proof": [_text(KINDS["openid4vci-proof+jwt"])],
        "dpop": [_text(KINDS["dpop+jwt"])],
        "pseudonym": [_text(KINDS["cairn-pseudonym+jwt"])],
        "key-attestation": [_text(KINDS["key-attestation+jwt"])],
        "request-object": [_text(KINDS["oauth-authz-req+jwt"])],
        "link": [b"openid4vp://?client_id=x%3Ay&request_uri=https%3A%2F%2Fe.example%2Fr"],
        "date-time": [b"2024-02-29T23:59:59.123+14:00"],
        "json": [b'{"a":[1,2.5e3,-0,true,null,"\\u00e9\\n"],"b":{"c":{}}}'],
        "canonical-json": [b'{"b":1e21,"a":[0.1,-0.0,"\xe2\x82\xac"]}'],
        "multibase": [_text(DID.removeprefix("did:key:")), b"uAQID", b"z2J9"],
        "jwk": [canonical_json(KEY.key.jwk)],
        "did-url": [
            _text(f"{DID}#{KEY.key.multikey}"),
            b"did:cairn:testnet:abc?versionId=1&service=x#y",
            b"did:web:e.example%3A8443:a:b",
            _text(f"did:jwk:{jose.base64url_encode(canonical_json(KEY.key.jwk))}"),
        ],
        "did-document": [
            canonical_json(
                {
                    "@context": ["https://www.w3.org/ns/did/v1"],
                    "id": "did:web:e.example",
                    "verificationMethod": [
                        {
                            "id": "did:web:e.example#1",
                            "type": "JsonWebKey2020",
                            "controller": "did:web:e.example",
                            "publicKeyJwk": KEY.key.jwk,
                        }
                    ],
                    "assertionMethod": ["did:web:e.example#1"],
                }
            )
        ],
        "transaction": [bytes(data) for data in list(story())[:4]],
        "jwe": [
            encrypt_answer(
                {"vp_token": {}, "state": "s"}, ANSWER_KEY.jwk, enc="A128GCM", random=bytes
            ).encode()
        ],
        "trust-anchor": [canonical_json(trust_anchor_json(STAGE.world.trust))],
        "checkpoint": [head.encode()],
        "signed-note": [head.encode()],
        "receipt": [canonical_json(receipt_json(receipt))],
        "verifier-key": [verifier_key("e.example", ED.key).text.encode()],
        "witness-key": [witness_key("e.example/w", ED.key).text.encode()],
        "add-checkpoint": [
            encode_add_checkpoint(AddCheckpoint(old_size=0, path=(bytes(32),), head=head))
        ],
        "mdoc": [
            cbor2.dumps(
                {
                    "version": "1.0",
                    "documents": [{"docType": "d", "issuerSigned": _ISSUER_SIGNED}],
                    "status": 0,
                }
            )
        ],
        "mdoc-issuer-signed": [cbor2.dumps(_ISSUER_SIGNED)],
        "certificate": [_certificate()],
        "contribution": [canonical_json({"contribution": {"type": "x"}, "signatures": {}})],
        "bundle": [canonical_json({"type": "x", "genesis": {}, "peers": [], "trust_anchor": {}})],
    }


def main() -> None:
    """Write what can be made; leave every other file."""
    for name, made in _made().items():
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(made, 1):
            if data:
                (FOLDER / name / f"{number:02}").write_bytes(data)
    for name in TARGETS:
        if not seeds(name):
            (FOLDER / name).mkdir(parents=True, exist_ok=True)
            (FOLDER / name / "01").write_bytes(b"{}")


if __name__ == "__main__":
    main()
