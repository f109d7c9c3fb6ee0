"""Data Integrity against Digital Bazaar's libraries, both ways: whole, derived, tampered with."""

import copy
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from identity.adapters.bbs_keys import bbs_key_from_seed
from identity.core.data_integrity import (
    add_base_proof,
    add_bbs_base_proof,
    add_proof,
    derive_proof,
    verify_proofs,
)
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType
from registry.core.refusals import Refusal
from tests.identity.core.bbs.bbs_resolving import resolve_bbs_did_key
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import resolve_did_key, signer
from tests.peers import run_node

pytestmark = pytest.mark.slow

V1 = "https://www.w3.org/2018/credentials/v1"
V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
BBS_KEY = bbs_key_from_seed(b"a seed for tests with other peers")
SUITES = {
    "eddsa-rdfc-2022": [KeyType.ED25519],
    "ecdsa-rdfc-2019": [KeyType.P256, KeyType.P384],
    "ecdsa-sd-2023": [KeyType.P256],
    "bbs-2023": [None],
}
CASES = [(suite, key_type) for suite, key_types in SUITES.items() for key_type in key_types]
SELECTIVE = ("ecdsa-sd-2023", "bbs-2023")
# Their verifier refuses a credential of which no part of the subject is shown.
MANDATORY = ["/issuer", "/validFrom", "/credentialSubject/marks/0"]
POINTERS = [
    [],
    ["/credentialSubject"],
    ["/credentialSubject/degree/name"],
    ["/credentialSubject/marks/1", "/name"],
    ["/credentialSubject/members/0/name", "/credentialSubject/members/1"],
    ["/type"],
]
DOCUMENTS: dict[str, JsonObject] = {
    "plain": {
        "@context": [V2, EXAMPLES],
        "type": ["VerifiableCredential", "ExampleDegreeCredential"],
        "validFrom": "2024-01-01T00:00:00Z",
        "name": "Degree",
        "credentialSubject": {
            "id": "did:example:alice",
            "degree": {"type": "ExampleBachelorDegree", "name": "Bachelor"},
            "marks": [1, 2, 3.5, -0.25, 1e21],
            "members": [{"name": "a"}, {"name": "b"}],
        },
    },
    "other scripts": {
        "@context": [V2, EXAMPLES],
        "id": "urn:uuid:0b8ef8c2-7a53-4a8b-9f5e-1d1c2b3a4d5e",
        "type": ["VerifiableCredential"],
        "validFrom": "2024-01-01T00:00:00.123+08:00",
        "name": {"@value": "学位证书", "@language": "zh"},
        "credentialSubject": {
            "degree": {"name": 'tab\t, quote ", \\ and line\nfeed', "honours": True},
            "marks": ["é", "e\u0301", "😀"],
            "members": [{"name": "名"}, {"name": "نام"}],
        },
    },
}


@cache
def contexts() -> dict[str, Any]:
    folder = files("schemas") / "contexts"
    index = json.loads((folder / "index.json").read_text("utf-8"))
    return {url: json.loads((folder / name).read_text("utf-8")) for url, name in index.items()}


def ask(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All jobs in one run of theirs; loading their libraries takes longer than any job."""
    return run_node("data_integrity.mjs", {"contexts": contexts(), "jobs": jobs})


def ours(suite: str, key_type: KeyType | None, document: JsonObject) -> JsonObject:
    key = BBS_KEY if key_type is None else signer(key_type)
    given: dict[str, Any] = {
        "document": {**document, "issuer": key.key.did_key},
        "signer": key,
        "created": datetime.now(UTC),
        "purpose": "assertionMethod",
        "contexts": bundled(),
    }
    if suite in SELECTIVE:
        make: Callable[..., JsonObject] = (
            add_bbs_base_proof if suite == "bbs-2023" else add_base_proof
        )
        return make(**given, random=secrets.token_bytes, mandatory_pointers=MANDATORY)
    return add_proof(**given, cryptosuite=suite)


def derived(document: JsonObject, pointers: list[str]) -> JsonObject:
    return derive_proof(
        document, selective_pointers=pointers, contexts=bundled(), random=secrets.token_bytes
    )


def we_verify(document: JsonObject) -> bool:
    try:
        verify_proofs(
            document,
            purpose="assertionMethod",
            resolve_key=resolve_did_key,
            resolve_bbs_key=resolve_bbs_did_key,
            contexts=bundled(),
            now=datetime.now(UTC),
            domain=None,
            challenge=None,
        )
    except Refusal:
        return False
    return True


def tampered(document: JsonObject) -> list[JsonObject]:
    """Copies that say something else."""
    copies = [copy.deepcopy(document) for _ in range(3)]
    copies[0]["validFrom"] = "2023-01-01T00:00:00Z"
    copies[1]["type"] = ["VerifiableCredential", "ExampleAlumniCredential"]
    copies[2]["proof"]["nonce"] = "added"
    return copies


def shown(suite: str, document: JsonObject) -> list[JsonObject]:
    """What verifiers get to see of a secured document."""
    if suite not in SELECTIVE:
        return [document]
    return [derived(document, pointers) for pointers in POINTERS if fits(document, pointers)]


def fits(document: JsonObject, pointers: list[str]) -> bool:
    return (
        "/credentialSubject/degree/name" not in pointers
        or "degree" in document["credentialSubject"]
    )


def test_they_verify_what_we_issue_and_derive():
    jobs, wanted = [], []
    for suite, key_type in CASES:
        for document in DOCUMENTS.values():
            for seen in shown(suite, ours(suite, key_type, document)):
                assert we_verify(seen)
                for candidate, expected in ((seen, True), *((c, False) for c in tampered(seen))):
                    jobs.append({"do": "verify", "suite": suite, "document": candidate})
                    wanted.append(expected)

    answers = ask(jobs)

    assert len(jobs) == 4 * (2 * 3 + 6 * 2 * 2)
    for job, answer, expected in zip(jobs, answers, wanted, strict=True):
        assert answer.get("result", {}).get("verified", False) is expected, (job, answer)


def test_we_verify_what_they_issue_and_derive():
    issuing = [
        {
            "do": "sign",
            "suite": suite,
            "curve": None if key_type is None else str(key_type),
            "document": document,
            "mandatoryPointers": MANDATORY,
        }
        for suite, key_type in CASES
        for document in DOCUMENTS.values()
    ]
    issued = [answer["result"] for answer in ask(issuing)]
    deriving = [
        {"do": "derive", "suite": job["suite"], "document": base, "selectivePointers": pointers}
        for job, base in zip(issuing, issued, strict=True)
        if job["suite"] in SELECTIVE
        for pointers in POINTERS
    ]
    by_them = [answer["result"] for answer in ask(deriving)]

    plain = [
        document
        for job, document in zip(issuing, issued, strict=True)
        if job["suite"] not in SELECTIVE
    ]
    by_us = [derived(job["document"], job["selectivePointers"]) for job in deriving]
    assert (len(plain), len(by_them), len(by_us)) == (6, 24, 24)
    for document in (*plain, *by_them, *by_us):
        assert we_verify(document)
        for changed in tampered(document):
            assert not we_verify(changed)
    # And they verify what we derived from what they issued.
    again = [
        {"do": "verify", "suite": job["suite"], "document": document}
        for job, document in zip(deriving, by_us, strict=True)
    ]
    assert all(answer["result"]["verified"] for answer in ask(again))


def test_they_derive_from_what_we_issue():
    jobs = [
        {
            "do": "derive",
            "suite": suite,
            "document": ours(suite, key_type, document),
            "selectivePointers": pointers,
        }
        for suite, key_type in CASES
        if suite in SELECTIVE
        for document in DOCUMENTS.values()
        for pointers in POINTERS
    ]

    answers = ask(jobs)

    assert len(answers) == 24
    for job, answer in zip(jobs, answers, strict=True):
        document = answer["result"]
        assert we_verify(document), job
        mine = derived(job["document"], job["selectivePointers"])
        assert {**document, "proof": None} == {**mine, "proof": None}


def test_neither_takes_a_base_proof_for_a_derived_one():
    bases = [
        (suite, ours(suite, key, DOCUMENTS["plain"])) for suite, key in CASES if suite in SELECTIVE
    ]

    answers = ask([{"do": "verify", "suite": suite, "document": base} for suite, base in bases])

    for (_, base), answer in zip(bases, answers, strict=True):
        assert not we_verify(base)
        assert answer.get("result", {}).get("verified", False) is False
