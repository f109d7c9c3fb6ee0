"""The whole way of a credential: offer, token, nonce, proofs, copies, receipt, status."""

from urllib.parse import parse_qs, urlsplit

import pytest

from identity.core import status_list
from identity.core.cose import parse_sign1
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.data_integrity import verify_proofs
from identity.core.jose import verify_compact
from identity.core.sd_jwt import parse_sd_jwt
from identity.core.sd_jwt_vc import verify_sd_jwt_vc
from identity.core.status_list.cwt import STATUS_CWT_TYP, verify_status_cwt
from registry.core.encoding import base64url_encode, parse_json_object
from registry.core.receipt import parse_receipt, verify_receipt
from tests.identity.issuer.ledger_in_memory import digest_text
from tests.identity.issuer.workbench import BASE, CONTEXTS, Workbench, payload_of
from tests.registry.core.heads import NOW


def _path(url: str) -> str:
    assert url.startswith(BASE)
    return url.removeprefix(BASE)


def test_a_wallet_gets_copies_that_share_nothing_it_could_be_followed_by(bench: Workbench) -> None:
    offer = bench.offer(tx_code=True)
    link = parse_qs(urlsplit(offer["offer_uri"]).query)
    fetched = bench.http.get(_path(link["credential_offer_uri"][0]))
    assert fetched.json() == offer["credential_offer"]
    token = bench.token(offer)

    answer = bench.receive(token, keys=3)

    copies = [
        verify_sd_jwt_vc(parse_sd_jwt(item["credential"]), key=bench.agency.jose.key)
        for item in answer["credentials"]
    ]
    assert len({copy.holder_key for copy in copies}) == 3
    assert len({copy.sd_jwt.payload["anchor"]["salt"] for copy in copies}) == 3
    assert len({copy.sd_jwt.payload["status"]["status_list"]["idx"] for copy in copies}) == 3
    assert not set(copies[0].sd_jwt.payload["_sd"]) & set(copies[1].sd_jwt.payload["_sd"])
    assert copies[0].issuer == bench.issuer
    assert copies[0].sd_jwt.header["kid"] == f"{bench.agency.did}#jose-1"
    # Born on 29 February 2004: on 1 March 2026 in every time zone 22, so over 21.
    assert copies[0].claims["age_over_21"] is True
    assert copies[0].claims["family_name"] == "Kestrel"
    assert copies[0].claims["issuing_country"] == "CN"
    assert copies[0].claims["assurance_level"] == "IAL2"


def test_every_copy_has_a_receipt_once_the_batch_is_sealed(bench: Workbench) -> None:
    answer = bench.receive(bench.token(bench.offer()), keys=2)
    payload = payload_of(answer["credentials"][1]["credential"])
    digest = credential_digest(payload, anchor_claim(payload).salt)
    path = f"/issuers/registrar/receipts/{base64url_encode(digest)}"
    early = bench.http.get(path)
    assert early.status_code == 404
    assert early.headers["Retry-After"] == "1"

    bench.worker.run_once(bench.clock())

    receipt = parse_receipt(bench.http.get(path).json())
    verified = verify_receipt(receipt, digest=digest, anchor=bench.registry.anchor, now=NOW)
    assert verified.issuer == bench.agency.did
    assert verified.types == ("resident-identity",)
    assert verified.batch == payload["anchor"]["batch"]
    batch = bench.http.get(f"/issuers/registrar/anchors/{verified.batch}").json()
    assert base64url_encode(digest) in batch["digests"]
    assert len(batch["digests"]) == 2


def test_a_w3c_credential_verifies_and_is_anchored_and_listed(bench: Workbench) -> None:
    token = bench.token(bench.offer())

    answer = bench.receive(token, keys=1, configuration="resident-identity-ldp-vc")

    document = answer["credentials"][0]["credential"]
    proofs = verify_proofs(
        document,
        purpose="assertionMethod",
        resolve_key=lambda _method, _purpose: bench.agency.data_integrity.key,
        contexts=CONTEXTS,
        now=bench.clock(),
        domain=None,
        challenge=None,
    )
    assert proofs[0].verification_method == f"{bench.agency.did}#di-1"
    assert document["issuer"] == bench.agency.did
    assert document["credentialSubject"]["id"].startswith("did:jwk:")
    bench.worker.run_once(bench.clock())
    digest = credential_digest(document, anchor_claim(document).salt)
    receipt = bench.http.get(f"/issuers/registrar/receipts/{base64url_encode(digest)}").json()
    verify_receipt(parse_receipt(receipt), digest=digest, anchor=bench.registry.anchor, now=NOW)
    entries = status_list.parse_bitstring_entries(document)
    assert [entry.purpose for entry in entries] == ["revocation", "suspension"]


def test_both_formats_come_from_one_offer_and_change_status_together(bench: Workbench) -> None:
    offer = bench.offer()
    token = bench.token(offer)
    sd_jwt = bench.receive(token, keys=2)
    document = bench.receive(token, configuration="resident-identity-ldp-vc")["credentials"][0][
        "credential"
    ]

    changed = bench.http.post(
        "/issuers/registrar/credentials/status",
        headers={"Authorization": "Bearer an access key that nobody else has"},
        json={
            "credentialId": document["id"],
            "credentialStatus": [
                {
                    "type": "BitstringStatusListEntry",
                    "statusPurpose": "revocation",
                    "status": "1",
                }
            ],
        },
    )

    assert changed.status_code == 200
    assert changed.json() == {
        "credentialId": offer["credential_id"],
        "status": "revoked",
        "published": True,
    }
    for item in sd_jwt["credentials"]:
        assert token_status(bench, payload_of(item["credential"])) == 1
    entry = status_list.parse_bitstring_entries(document)[0]
    listed = bench.http.get(
        _path(entry.uri), headers={"Accept": "application/ld+json, application/json"}
    )
    assert listed.headers["content-type"] == "application/ld+json"
    data = status_list.parse_bitstring_credential(
        listed.json(), uri=entry.uri, purpose="revocation"
    )
    assert status_list.read_bitstring(data, entry.index) == 1
    published = bench.registry.status_digest(entry.uri)
    assert published is not None
    assert published[0] == digest_text(data)


def test_the_status_token_is_signed_by_the_credential_key_and_on_the_ledger(
    bench: Workbench,
) -> None:
    payload = payload_of(bench.receive(bench.token(bench.offer()))["credentials"][0]["credential"])
    uri = payload["status"]["status_list"]["uri"]

    answer = bench.http.get(_path(uri), headers={"Accept": "application/statuslist+jwt"})

    assert answer.headers["content-type"] == "application/statuslist+jwt"
    assert "max-age" in answer.headers["cache-control"]
    verified = verify_compact(answer.text, key=bench.agency.jose.key, typ="statuslist+jwt")
    assert verified.header["kid"] == bench.agency.jose.verification_method
    parsed = status_list.parse_status_token(
        verified.claims, uri=uri, now=int(bench.clock().timestamp())
    )
    published = bench.registry.status_digest(uri)
    assert published is not None
    assert published[0] == digest_text(parsed.data)
    again = bench.http.get(_path(uri), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_the_status_token_as_cwt_is_the_same_list_for_whoever_rather_has_that(
    bench: Workbench,
) -> None:
    payload = payload_of(bench.receive(bench.token(bench.offer()))["credentials"][0]["credential"])
    uri = payload["status"]["status_list"]["uri"]
    now = int(bench.clock().timestamp())
    claims = verify_compact(
        bench.http.get(_path(uri)).text, key=bench.agency.jose.key, typ="statuslist+jwt"
    ).claims

    answer = bench.http.get(_path(uri), headers={"Accept": STATUS_CWT_TYP})

    assert answer.headers["content-type"] == STATUS_CWT_TYP
    assert answer.headers["vary"] == "Accept"
    message = parse_sign1(answer.content)
    assert message.key_id == bench.agency.jose.verification_method
    listed = verify_status_cwt(answer.content, key=bench.agency.jose.key, uri=uri, now=now)
    assert listed == status_list.parse_status_token(claims, uri=uri, now=now)
    again = bench.http.get(
        _path(uri), headers={"Accept": STATUS_CWT_TYP, "If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    # The other form is another representation with a tag of its own.
    other = bench.http.get(_path(uri), headers={"If-None-Match": answer.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("accept", "is_cwt"),
    [
        (None, False),
        ("*/*", False),
        ("application/*", False),
        ("application/statuslist+jwt", False),
        ("application/statuslist+cwt", True),
        ("APPLICATION/StatusList+CWT", True),
        ("application/statuslist+cwt, */*;q=0.5", True),
        ("application/statuslist+cwt, application/statuslist+jwt", True),
        ("application/statuslist+jwt, application/statuslist+cwt", False),
        ("application/statuslist+jwt;q=0.4, application/statuslist+cwt;q=0.9", True),
        ("application/statuslist+cwt;q=0", False),
        ("application/statuslist+cwt;q=x", False),
        ("text/html", False),
    ],
)
def test_which_form_of_the_status_token_a_client_gets(
    bench: Workbench, accept: str | None, is_cwt: bool
) -> None:
    payload = payload_of(bench.receive(bench.token(bench.offer()))["credentials"][0]["credential"])
    headers = {} if accept is None else {"Accept": accept}

    answer = bench.http.get(_path(payload["status"]["status_list"]["uri"]), headers=headers)

    kind = "cwt" if is_cwt else "jwt"
    assert answer.headers["content-type"] == f"application/statuslist+{kind}"


def token_status(bench: Workbench, payload: dict) -> int:  # type: ignore[type-arg]
    reference = status_list.parse_token_reference(payload)
    assert reference is not None
    bench.clock.forward(seconds=3)  # the process may answer from memory for two seconds
    text = bench.http.get(_path(reference.uri)).text
    claims = verify_compact(text, key=bench.agency.jose.key, typ="statuslist+jwt").claims
    parsed = status_list.parse_status_token(
        claims, uri=reference.uri, now=int(bench.clock().timestamp())
    )
    return status_list.read_token_status(parsed.data, reference.index, bits=parsed.bits)


def test_nothing_personal_is_in_the_identity_database(bench: Workbench) -> None:
    bench.receive(bench.token(bench.offer()), keys=2)
    bench.offer(
        credential_type="degree",
        claims={
            "degree_name": "Master of Unmistakable Canaries",
            "degree_level": "master",
            "awarded_on": "2024-07-01",
            "institution": "Riverland University",
        },
    )
    bench.engine.dispose()

    everything = b"".join(path.read_bytes() for path in bench.folder.iterdir())

    for canary in (b"Kestrel", b"Alice", b"2004-02-29", b"Unmistakable", b"Riverland"):
        assert canary not in everything
    assert any(
        parse_json_object(data)["institution"] == "Riverland University"
        for data in bench.vault.rows.values()
    )
