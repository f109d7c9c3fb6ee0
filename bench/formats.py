"""Every credential format: how many a second one core issues and verifies, beside peers.

Each work is done the way that the issuer and the pipeline do it, without the network around it: a
credential is checked for its form and then secured, or its form and its proof are checked. The
floors are the bare signature and the bare verification under a key of the same kind. Credentials
differ from round to round, so nothing is measured that remembers one of them.
"""

import copy
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.measure import Figure, Run, measure
from bench.peers import PeerFigures, measure_peers
from identity.adapters.bbs_keys import BbsKey, bbs_key_from_seed
from identity.adapters.key_files import FileKey, key_from_seed, seed_bytes
from identity.adapters.schema_files import load_catalogue, load_context_store
from identity.core import sd_jwt, sd_jwt_vc, vcdm
from identity.core.bbs.keys import BbsPublicKey, parse_bbs_did_key
from identity.core.data_integrity import derive_proof, verify_proofs
from identity.core.jsonld import ContextStore
from identity.core.signing import NamedSigner
from identity.core.verification.envelopes import open_envelope, verify_envelope
from identity.issuer.securing import secure
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType, PublicKey, parse_did_key, verify_signature

SEED = bytes(range(64))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE = bytes(200)
SECONDS = 0.75  # of processor time for each figure
DIFFERENT = 64  # credentials that take turns

DOCUMENT: JsonObject = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:0b8ef8c2-7a53-4a8b-9f5e-1d1c2b3a4d5e",
    "type": ["VerifiableCredential", "ExampleDegreeCredential"],
    "validFrom": "2024-01-01T00:00:00Z",
    "validUntil": "2044-01-01T00:00:00Z",
    "credentialSubject": {
        "id": "did:example:alice",
        "givenName": "Alice",
        "familyName": "Example",
        "birthDate": "1990-02-03",
        "degree": {"type": "ExampleBachelorDegree", "name": "Bachelor of Science and Arts"},
        "alumniOf": {"id": "did:example:university", "name": "Example University"},
    },
    "credentialStatus": {
        "id": "https://status.example/1#94567",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "94567",
        "statusListCredential": "https://status.example/1",
    },
}
CLAIMS: JsonObject = {
    "iss": "https://issuer.example",
    "vct": "https://types.example/1",
    "iat": 1_750_000_000,
    "given_name": "Alice",
    "family_name": "Example",
    "birth_date": "1990-02-03",
    "degree": "Bachelor of Science and Arts",
}
DISCLOSABLE = ("given_name", "family_name", "birth_date", "degree")


@dataclass(frozen=True, slots=True)
class FormatFigures:
    """One format: issuing and verifying, and what the bare operations cost in the same moments.

    `issued` and `verified` count bare operations of the key, not Ed25519 verifications as a rule.
    """

    name: str
    operation: str
    issued: Figure
    verified: Figure


def measure_formats() -> tuple[list[FormatFigures], PeerFigures]:
    """All of ours, then the peers'."""
    contexts = load_context_store(load_catalogue("https://issuer.example/schemas"))
    ours = [
        *_data_integrity(contexts),
        *_selective(contexts),
        *_sd_jwt_vc(),
        *_envelopes(contexts),
    ]
    return ours, measure_peers(DOCUMENT, CLAIMS, DISCLOSABLE)


def _key(key_type: KeyType) -> FileKey:
    return key_from_seed(key_type, SEED[: seed_bytes(key_type)])


def _named(key: FileKey) -> NamedSigner:
    return NamedSigner(key, f"{key.key.did_key}#{key.key.multikey}")


def _resolve(method: str, _purpose: str) -> PublicKey:
    return parse_did_key(method.partition("#")[0])


def _resolve_bbs(method: str, _purpose: str) -> BbsPublicKey:
    return parse_bbs_did_key(method.partition("#")[0])


def _documents(issuer: str) -> list[JsonObject]:
    """Credentials that differ in their texts."""
    made = []
    for number in range(DIFFERENT):
        document = copy.deepcopy(DOCUMENT)
        document["id"] = f"urn:uuid:0b8ef8c2-7a53-4a8b-9f5e-{number:012d}"
        document["issuer"] = issuer
        document["credentialSubject"]["id"] = f"did:example:subject-{number}"
        document["credentialSubject"]["givenName"] = f"Alice {number}"
        made.append(document)
    return made


def _turns(work: Callable[[Any], object], items: list[Any]) -> Run:
    return lambda number: work(items[number % len(items)])


def _floors(key: FileKey) -> tuple[Run, Run]:
    signature = key.sign(MESSAGE)
    return (
        lambda _: key.sign(MESSAGE),
        lambda _: verify_signature(key.key, message=MESSAGE, signature=signature),
    )


def _issuing(
    signer: NamedSigner | BbsKey, securing: str, contexts: ContextStore
) -> Callable[[JsonObject], JsonObject]:
    def work(document: JsonObject) -> JsonObject:
        vcdm.check_credential(document, contexts=contexts)
        return secure(
            document,
            signer=signer,
            securing=securing,
            options={},
            contexts=contexts,
            random=secrets.token_bytes,
            now=NOW,
        )

    return work


def _verifying(contexts: ContextStore) -> Callable[[JsonObject], object]:
    def work(document: JsonObject) -> object:
        vcdm.check_credential(document, contexts=contexts)
        return verify_proofs(
            document,
            purpose="assertionMethod",
            resolve_key=_resolve,
            resolve_bbs_key=_resolve_bbs,
            contexts=contexts,
            now=NOW,
            domain=None,
            challenge=None,
        )

    return work


def _data_integrity(contexts: ContextStore) -> Iterator[FormatFigures]:
    for cryptosuite, key_type in (
        ("eddsa-rdfc-2022", KeyType.ED25519),
        ("eddsa-jcs-2022", KeyType.ED25519),
        ("ecdsa-rdfc-2019", KeyType.P256),
        ("ecdsa-rdfc-2019", KeyType.P384),
        ("ecdsa-jcs-2019", KeyType.P256),
    ):
        key = _key(key_type)
        issue = _issuing(_named(key), cryptosuite, contexts)
        documents = _documents(key.key.did_key)
        secured = [issue(document) for document in documents]
        yield _figures(
            cryptosuite if key_type is KeyType.ED25519 else f"{cryptosuite}, {key_type}",
            str(key_type),
            _floors(key),
            issue=_turns(issue, documents),
            verify=_turns(_verifying(contexts), secured),
        )


def _selective(contexts: ContextStore) -> Iterator[FormatFigures]:
    """Issued whole; verified as derived, with the subject shown."""
    p256, bbs = _key(KeyType.P256), bbs_key_from_seed(SEED)
    for securing, signer, issuer in (
        ("ecdsa-sd-2023", _named(p256), p256.key.did_key),
        ("bbs-2023", bbs, bbs.key.did_key),
    ):
        issue = _issuing(signer, securing, contexts)
        documents = _documents(issuer)
        pointers = ["/validFrom", "/credentialSubject"]
        derived = [
            derive_proof(
                issue(document),
                selective_pointers=pointers,
                contexts=contexts,
                random=secrets.token_bytes,
            )
            for document in documents
        ]
        yield _figures(
            securing,
            "P-256",
            _floors(p256),
            issue=_turns(issue, documents),
            verify=_turns(_verifying(contexts), derived),
        )


def _sd_jwt_vc() -> Iterator[FormatFigures]:
    """Verified as presented: all disclosures, and a key binding."""
    key, holder = _key(KeyType.P256), key_from_seed(KeyType.P256, SEED[32:])
    now = CLAIMS["iat"]

    def issue(number: int) -> str:
        payload, disclosures = sd_jwt.make_disclosures(
            {**CLAIMS, "given_name": f"Alice {number}", "cnf": {"jwk": holder.key.jwk}},
            random=secrets.token_bytes,
            paths=[(name,) for name in DISCLOSABLE],
        )
        return sd_jwt.issue_sd_jwt(
            payload=payload,
            disclosures=disclosures,
            header={"typ": "dc+sd-jwt"},
            signer=_named(key),
        )

    def verify(text: str) -> object:
        unverified = sd_jwt.parse_sd_jwt(text)
        credential = sd_jwt_vc.verify_sd_jwt_vc(unverified, key=key.key)
        if credential.holder_key is None:
            raise AssertionError("the credential is bound to a key")
        return sd_jwt.verify_key_binding(
            unverified,
            holder_key=credential.holder_key,
            audience="https://verifier.example",
            nonce="n",
            now=now,
            max_age_seconds=60,
        )

    shown = [
        sd_jwt.add_key_binding(
            issue(number),
            signer=_named(holder),
            audience="https://verifier.example",
            nonce="n",
            issued_at=now,
        )
        for number in range(DIFFERENT)
    ]
    yield _figures("SD-JWT VC", "P-256", _floors(key), issue=issue, verify=_turns(verify, shown))


def _envelopes(contexts: ContextStore) -> Iterator[FormatFigures]:
    key = _key(KeyType.P256)
    for securing in ("vc+jwt", "vc+sd-jwt", "vc+cose"):
        issue = _issuing(_named(key), securing, contexts)
        documents = _documents(key.key.did_key)
        secured = [issue(document) for document in documents]

        def verify(document: JsonObject) -> object:
            envelope = open_envelope(document, "EnvelopedVerifiableCredential")
            verify_envelope(envelope, key=key.key, now=int(NOW.timestamp()))
            vcdm.check_credential(envelope.document, contexts=contexts)
            return envelope

        yield _figures(
            securing,
            "P-256",
            _floors(key),
            issue=_turns(issue, documents),
            verify=_turns(verify, secured),
        )


def _figures(
    name: str, operation: str, floors: tuple[Run, Run], *, issue: Run, verify: Run
) -> FormatFigures:
    for number in range(2):  # a template is made at the second document of a shape
        issue(number)
        verify(number)
    return FormatFigures(
        name,
        operation,
        issued=measure(issue, floor=floors[0], seconds=SECONDS, clock=time.process_time),
        verified=measure(verify, floor=floors[1], seconds=SECONDS, clock=time.process_time),
    )
