"""VC API: what an agency signs for other systems, and what it refuses."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identity.adapters.key_files import key_from_seed
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.data_integrity import verify_proofs
from identity.core.signing import NamedSigner
from identity.issuer.vc_api import VcApiProfile
from registry.core.encoding import base64url_encode
from registry.core.keys import KeyType, PublicKey
from registry.core.receipt import parse_receipt, verify_receipt
from tests.identity.issuer.workbench import BASE, BEARER, CONTEXTS, START, Workbench
from tests.registry.core.heads import NOW

KEY = key_from_seed(KeyType.ED25519, b"\x07" * 32)
PROFILE = VcApiProfile(
    signer=NamedSigner(KEY, f"{KEY.key.did_key}#{KEY.key.multikey}"),
    issuer=KEY.key.did_key,
    securing="eddsa-rdfc-2022",
)


def _degree(bench: Workbench) -> dict[str, Any]:
    return {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            f"{BASE}/schemas/degree/1/context.jsonld",
        ],
        "id": "urn:uuid:6fb1ee6c-0d33-4d4f-8d0c-1f3e1f5b8d77",
        "type": ["VerifiableCredential", "DegreeCredential"],
        "issuer": {"id": bench.agency.did, "name": "Registrar"},
        "validFrom": "2026-03-01T00:00:00Z",
        "credentialSubject": {
            "id": "did:example:holder",
            "family_name": "Kestrel",
            "given_name": "Alice",
            "degree_name": "Master of Science",
            "degree_level": "master",
            "awarded_on": "2024-07-01",
            "institution": "Riverland University",
        },
    }


def _issue(bench: Workbench, credential: Any, **members: Any) -> Any:
    return bench.http.post(
        f"{bench.issuer}/credentials/issue",
        headers=BEARER,
        json={"credential": credential, **members},
    )


def _verify(document: dict[str, Any], key: PublicKey) -> None:
    verify_proofs(
        document,
        purpose="assertionMethod",
        resolve_key=lambda _method, _purpose: key,
        contexts=CONTEXTS,
        now=START,
        domain=None,
        challenge=None,
    )


def test_a_credential_of_the_agencys_type_comes_back_signed_listed_and_anchored(
    bench: Workbench,
) -> None:
    unsigned = _degree(bench)

    answer = _issue(bench, unsigned, options={"checks": ["anything"]})

    assert answer.status_code == 201, answer.text
    document = answer.json()["verifiableCredential"]
    assert {name: document[name] for name in unsigned} == unsigned
    assert set(document) - set(unsigned) == {"anchor", "credentialStatus", "proof"}
    _verify(document, bench.agency.data_integrity.key)
    bench.worker.run_once(bench.clock())
    digest = credential_digest(document, anchor_claim(document).salt)
    receipt = bench.http.get(f"{bench.issuer}/receipts/{base64url_encode(digest)}").json()
    anchored = verify_receipt(
        parse_receipt(receipt), digest=digest, anchor=bench.registry.anchor, now=NOW
    )
    assert anchored.types == ("degree",)
    changed = bench.http.post(
        f"{bench.issuer}/credentials/status",
        headers=BEARER,
        json={
            "credentialId": unsigned["id"],
            "credentialStatus": [
                {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"}
            ],
        },
    )
    assert changed.json()["status"] == "revoked"


def test_one_id_is_issued_once(bench: Workbench) -> None:
    degree = _degree(bench)
    assert _issue(bench, degree).status_code == 201

    assert _issue(bench, degree).status_code == 400
    name = {"credentialId": degree.pop("id")}
    assert _issue(bench, degree, options=name).status_code == 400
    assert _issue(bench, degree, options={"credentialId": "another"}).status_code == 201
    assert _issue(bench, degree, options={"credentialId": "another"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("issuer",), "did:example:somebody-else"),
        (("issuer",), None),
        (("type",), ["VerifiableCredential"]),
        (("type",), ["VerifiableCredential", "DegreeCredential", "ResidenceCredential"]),
        (("type",), ["VerifiableCredential", "HealthEntitlementCredential"]),
        (("@context",), ["https://www.w3.org/ns/credentials/v2"]),
        (("credentialSubject", "institution"), None),
        (("credentialSubject", "degree_level"), "wizard"),
        (("credentialSubject", "religion"), "none"),
        (("credentialSubject",), []),
        (("anchor",), {"type": "CairnAnchor"}),
        (("credentialStatus",), {"type": "Other", "id": "https://e.example/1"}),
        (("proof",), {"type": "DataIntegrityProof"}),
        (("undefined_term",), "x"),
        (("validFrom",), "yesterday"),
        (("id",), "no url"),
    ],
    ids=str,
)
def test_what_the_agency_does_not_stand_for_is_refused(
    bench: Workbench, path: tuple[str, ...], value: Any
) -> None:
    altered = copy.deepcopy(_degree(bench))
    place = altered
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value

    answer = _issue(bench, altered)

    assert answer.status_code in (400, 403), answer.text
    assert answer.json()["verified"] is False
    assert answer.json()["problemDetails"][0]["detail"]
    assert "wizard" not in answer.text
    assert _issue(bench, _degree(bench)).status_code == 201  # the untouched twin


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"credential": 7}', b"{"])
def test_a_body_without_a_credential_is_refused_in_json(bench: Workbench, body: bytes) -> None:
    answer = bench.http.post(f"{bench.issuer}/credentials/issue", headers=BEARER, content=body)

    assert answer.status_code == 400
    assert "json" in answer.headers["content-type"]
    assert answer.json()["verified"] is False


def test_an_open_instance_signs_what_is_well_formed_and_changes_nothing(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, profiles={"registrar": PROFILE})
    credential = {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://www.w3.org/ns/credentials/examples/v2",
        ],
        "type": ["VerifiableCredential", "ExampleDegreeCredential"],
        "issuer": PROFILE.issuer,
        "credentialSubject": {"name": "Somebody"},
    }

    for _ in range(2):
        answer = _issue(bench, credential)

        assert answer.status_code == 201, answer.text
        document = answer.json()["verifiableCredential"]
        assert {k: v for k, v in document.items() if k != "proof"} == credential
        _verify(document, KEY.key)


def test_an_open_instance_signs_the_older_data_model_with_one_context_more(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, profiles={"registrar": PROFILE})
    credential = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential"],
        "issuer": PROFILE.issuer,
        "issuanceDate": "2026-03-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:holder"},
    }

    document = _issue(bench, credential).json()["verifiableCredential"]

    assert document["@context"] == [
        "https://www.w3.org/2018/credentials/v1",
        "https://w3id.org/security/data-integrity/v2",
    ]
    _verify(document, KEY.key)


def test_the_status_instance_adds_an_entry_by_itself(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, profiles={"registrar": replace(PROFILE, add_status=True)})
    credential = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "issuer": PROFILE.issuer,
        "credentialSubject": {"id": "did:example:holder"},
    }

    document = _issue(bench, credential).json()["verifiableCredential"]

    assert [entry["statusPurpose"] for entry in document["credentialStatus"]] == [
        "revocation",
        "suspension",
    ]
    assert {k: v for k, v in document.items() if k in credential} == credential
    listed = bench.http.get(document["credentialStatus"][0]["statusListCredential"]).json()
    assert listed["issuer"] == bench.agency.did
