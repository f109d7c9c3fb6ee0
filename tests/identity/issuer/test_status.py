"""Status: all copies together, revocation for ever, and only what the ledger vouches for."""

from pathlib import Path
from typing import Any

import pytest

from tests.identity.issuer.test_flow import token_status
from tests.identity.issuer.workbench import ALICE, BEARER, Workbench, payload_of


def _issued(bench: Workbench, keys: int = 2) -> tuple[str, list[dict[str, Any]]]:
    offer = bench.offer()
    answer = bench.receive(bench.token(offer), keys=keys)
    return offer["credential_id"], [payload_of(i["credential"]) for i in answer["credentials"]]


def _change(bench: Workbench, credential: str, status: str, **members: Any) -> Any:
    return bench.http.post(
        f"{bench.issuer}/issuances/{credential}/status",
        headers=BEARER,
        json={"status": status, **members},
    )


def _statuses(bench: Workbench, payloads: list[dict[str, Any]]) -> list[int]:
    return [token_status(bench, payload) for payload in payloads]


def test_suspension_is_reversible_and_revocation_is_not(bench: Workbench) -> None:
    credential, copies = _issued(bench)
    assert _statuses(bench, copies) == [0, 0]

    assert _change(bench, credential, "suspended", reason="lost-phone").status_code == 200
    assert _statuses(bench, copies) == [2, 2]
    assert _change(bench, credential, "valid").status_code == 200
    assert _statuses(bench, copies) == [0, 0]
    assert _change(bench, credential, "revoked").status_code == 200
    assert _statuses(bench, copies) == [1, 1]
    for status in ("valid", "suspended"):
        assert _change(bench, credential, status).status_code == 409
    assert _statuses(bench, copies) == [1, 1]
    assert _change(bench, credential, "revoked").status_code == 200  # repeating is harmless
    record = bench.http.get(f"{bench.issuer}/issuances/{credential}", headers=BEARER).json()
    assert (record["status"], record["reason"]) == ("revoked", None)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("suspension", "1")], (200, 2)),
        ([("suspension", "1"), ("suspension", "0")], (200, 0)),
        ([("revocation", "1")], (200, 1)),
        ([("suspension", "1"), ("revocation", "1")], (200, 1)),
        ([("suspension", "1"), ("revocation", "0")], (200, 2)),
        ([("revocation", "1"), ("revocation", "0")], (409, 1)),
        ([("revocation", "1"), ("suspension", "0")], (409, 1)),
        ([("suspension", True)], (200, 2)),
    ],
)
def test_vc_api_status_requests(
    bench: Workbench, steps: list[tuple[str, Any]], expected: tuple[int, int]
) -> None:
    credential, copies = _issued(bench)

    for purpose, value in steps:
        answer = bench.http.post(
            f"{bench.issuer}/credentials/status",
            headers=BEARER,
            json={
                "credentialId": credential,
                "credentialStatus": [
                    {
                        "type": "BitstringStatusListEntry",
                        "statusPurpose": purpose,
                        "status": value,
                    }
                ],
            },
        )

    assert answer.status_code == expected[0], answer.text
    assert _statuses(bench, copies) == [expected[1]] * 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credentialId": "x"},
        {"credentialId": "x", "credentialStatus": []},
        {"credentialId": "x", "credentialStatus": [{"statusPurpose": "message"}]},
        {"credentialId": "x", "credentialStatus": [{"statusPurpose": "revocation", "status": "2"}]},
    ],
)
def test_a_bad_status_request_is_refused(bench: Workbench, body: dict[str, Any]) -> None:
    answer = bench.http.post(f"{bench.issuer}/credentials/status", headers=BEARER, json=body)

    assert answer.status_code in (400, 422)


def test_an_unknown_credential_has_no_status(bench: Workbench) -> None:
    assert _change(bench, "unknown", "revoked").status_code == 404


def test_a_change_during_an_outage_is_kept_and_published_afterwards(bench: Workbench) -> None:
    credential, copies = _issued(bench)
    bench.registry.down = True

    answer = _change(bench, credential, "revoked")

    assert answer.status_code == 202
    assert answer.json()["published"] is False
    assert _statuses(bench, copies) == [0, 0]  # not on the ledger, so not served either
    bench.registry.down = False
    bench.worker.run_once(bench.clock())
    assert _statuses(bench, copies) == [1, 1]


def test_a_lost_phone_ends_everything_of_one_person_and_of_no_other(bench: Workbench) -> None:
    bench.persons.people["prs_bob"] = dict(bench.persons.people[ALICE])
    _, first = _issued(bench)
    _, second = _issued(bench)
    hers = bench.offer(subject="prs_bob")
    other = payload_of(bench.receive(bench.token(hers))["credentials"][0]["credential"])

    answer = bench.http.post(
        f"{bench.issuer}/issuances/revoke-all", headers=BEARER, json={"subject": ALICE}
    )

    assert len(answer.json()) == 2
    assert _statuses(bench, first + second) == [1] * 4
    assert token_status(bench, other) == 0
    found = bench.http.post(
        f"{bench.issuer}/issuances/search", headers=BEARER, json={"subject": ALICE}
    ).json()["credentials"]
    assert [(item["status"], item["reason"]) for item in found] == [("revoked", "keys-lost")] * 2


def test_a_revoked_credential_is_not_delivered_again(bench: Workbench) -> None:
    offer = bench.offer()
    token = bench.token(offer)
    bench.receive(token)
    _change(bench, offer["credential_id"], "revoked")

    answer = bench.request(
        token,
        {
            "credential_configuration_id": "resident-identity-ldp-vc",
            "proofs": {"jwt": [bench.proof(bench.key())]},
        },
    )

    assert answer.status_code == 400
    assert answer.json()["error"] == "credential_request_denied"


def test_a_list_is_signed_again_long_before_it_ends_and_its_version_stays(
    bench: Workbench,
) -> None:
    _, copies = _issued(bench)
    uri = copies[0]["status"]["status_list"]["uri"]
    first = bench.http.get(uri)
    published = bench.registry.status_digest(uri)
    sent = len(bench.registry.submitted)

    bench.clock.forward(hours=7)
    second = bench.http.get(uri)

    assert second.headers["etag"] != first.headers["etag"]
    assert bench.registry.status_digest(uri) == published
    assert len(bench.registry.submitted) == sent
    assert _statuses(bench, copies) == [0, 0]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/ld+json, application/json", "application/ld+json"),
        ("application/json", "application/json"),
        ("*/*", "application/vc+ld+json"),
        ("", "application/vc+ld+json"),
        ("application/vc", "application/vc"),
        ("application/vc+ld+json;q=0.9", "application/vc+ld+json"),
    ],
)
def test_a_bitstring_list_comes_in_the_type_that_is_asked_for(
    bench: Workbench, accept: str, expected: str
) -> None:
    _, copies = _issued(bench)
    uri = copies[0]["status"]["status_list"]["uri"].replace("/token", "/suspension")

    answer = bench.http.get(uri, headers={"Accept": accept})

    assert answer.headers["content-type"] == expected
    document = answer.json()
    assert document["id"] == uri
    assert isinstance(document["issuer"], str)
    assert document["credentialSubject"]["statusPurpose"] == "suspension"
    assert "proof" in document


@pytest.mark.parametrize("path", ["A" * 22 + "/token", "short/token", "A" * 22 + "/message"])
def test_a_list_that_is_not_there_is_not_found(bench: Workbench, path: str) -> None:
    answer = bench.http.get(f"{bench.issuer}/status/{path}")

    assert answer.status_code in (400, 404, 422)


def test_two_processes_publish_one_change_once(bench: Workbench, tmp_path: Path) -> None:
    credential, copies = _issued(bench)
    other = Workbench(
        tmp_path, registry=bench.registry, clock=bench.clock, persons=bench.persons, seed=b"other"
    )
    sent = len(bench.registry.submitted)

    _change(bench, credential, "revoked")
    other.worker.run_once(bench.clock())
    bench.worker.run_once(bench.clock())

    # One status list and one batch.
    assert len(bench.registry.submitted) == sent + 2
    assert _statuses(other, copies) == [1, 1]


def test_what_one_process_published_the_other_serves_at_once(
    bench: Workbench, tmp_path: Path
) -> None:
    credential, copies = _issued(bench)
    other = Workbench(
        tmp_path, registry=bench.registry, clock=bench.clock, persons=bench.persons, seed=b"other"
    )
    assert _statuses(other, copies) == [0, 0]  # the other process holds these lists now

    _change(bench, credential, "revoked")

    assert _statuses(other, copies) == [1, 1]


def test_a_restored_database_does_not_bring_revoked_credentials_back(
    bench: Workbench, tmp_path: Path
) -> None:
    credential, copies = _issued(bench)
    second, others = _issued(bench)
    bench.engine.dispose()
    backup = (tmp_path / "identity.db").read_bytes()
    assert _change(bench, credential, "revoked").status_code == 200
    uri = copies[0]["status"]["status_list"]["uri"]
    published = bench.registry.status_digest(uri)
    bench.engine.dispose()
    (tmp_path / "identity.db").write_bytes(backup)
    restored = bench.restarted()

    answer = _change(restored, second, "suspended")

    assert answer.status_code == 409  # the operator has to reconcile; see docs
    assert restored.registry.status_digest(uri) == published
    offer = restored.offer()
    fresh = restored.receive(restored.token(offer))
    payload = payload_of(fresh["credentials"][0]["credential"])
    assert payload["status"]["status_list"]["uri"] != uri  # no index of the old group again
    assert others
