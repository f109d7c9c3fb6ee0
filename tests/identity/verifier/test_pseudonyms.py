"""A pseudonym beside an answer: the same wallet is known again at one party, and at no other.

Every refusal has its untouched twin: the same answer with the statement as the wallet makes it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from identity.core import jose
from identity.core.pseudonym import TYP, make_statement, presentations_hash, pseudonym_of
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType
from registry.core.relying_party import RegisterRelyingParty
from tests.identity.core.signers import KeySigner, signer
from tests.identity.verifier.test_refused_answers import answer_encrypted
from tests.identity.verifier.workbench import Workbench, link_parameters

KEY = signer(KeyType.P256, 41)


@pytest.fixture
def bench(tmp_path):
    return Workbench(tmp_path)


def statement(
    bench: Workbench,
    wanted: Mapping[str, Any],
    form: Mapping[str, str],
    key: KeySigner = KEY,
    **claims: Any,
) -> str:
    """As a wallet makes it, but for `claims`."""
    vp_token = json.loads(form["vp_token"])
    honest = {
        "aud": wanted["client_id"],
        "nonce": wanted["nonce"],
        "iat": bench.stage.ledger.now,
        "vp_hash": presentations_hash(vp_token),
    }
    if not claims and key.key.type is KeyType.P256:
        return make_statement(
            signer=key,
            audience=honest["aud"],
            nonce=honest["nonce"],
            vp_token=vp_token,
            issued_at=honest["iat"],
        )
    changed = {name: value for name, value in {**honest, **claims}.items() if value is not None}
    return signed(key, changed)


def signed(key: KeySigner, payload: JsonObject, **header: Any) -> str:
    named = {"typ": TYP, "jwk": key.key.jwk, **header}
    kept = {name: value for name, value in named.items() if value is not None}
    return jose.sign_compact(header=kept, payload=payload, signer=key)


def answered(bench: Workbench, wish: str = "required", **ask: Any) -> JsonObject:
    """The verdict about an honest answer."""
    asked = bench.ask(pseudonym=wish, **ask)
    wanted = bench.object(asked)
    form = bench.form(wanted)
    answer = bench.answer(wanted, {**form, "pseudonym": statement(bench, wanted, form)})
    assert answer.status_code == 200, answer.text
    return bench.result(asked).json()["verdict"]


def test_a_wallet_is_known_again_by_another_copy_and_for_another_purpose_of_the_party(bench):
    first, second = answered(bench), answered(bench, "wanted")

    assert first["verified"] is second["verified"] is True
    assert first["pseudonym"] == second["pseudonym"]
    assert first["pseudonym"] == pseudonym_of(party=bench.stage.party.did, key=KEY.key)
    assert len(first["pseudonym"]) == 43


def test_the_request_says_it_only_when_the_party_wants_it(bench):
    assert "pseudonym" not in bench.object(bench.ask())
    for wish in ("wanted", "required"):
        assert bench.object(bench.ask(pseudonym=wish))["pseudonym"] == wish
    unsigned = bench.ask(pseudonym="wanted", client_id_prefix="redirect_uri")
    assert link_parameters(unsigned["link"])["pseudonym"] == "wanted"
    assert bench.try_ask(pseudonym="perhaps").status_code in (400, 422)


@pytest.mark.parametrize("wish", ["wanted", "required"])
def test_a_party_that_did_not_register_it_may_not_ask(bench, wish):
    refused = bench.try_ask(purpose="once", pseudonym=wish)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/asks-too-much")
    assert "pseudonym" not in bench.object(bench.ask(purpose="once"))  # its untouched twin


def test_a_registration_that_was_taken_back_stops_a_request_under_way(bench):
    asked = bench.ask(pseudonym="wanted")
    parameters = link_parameters(asked["link"])
    party = bench.stage.ledger.relying_party(bench.stage.party.did).record
    bench.stage.ledger.submit(
        RegisterRelyingParty(
            party=party.party,
            name=party.name,
            version=2,
            purposes=tuple(replace(purpose, pseudonym=False) for purpose in party.purposes),
        ),
        bench.stage.ledger.root,
    )

    refused = bench.client.get(parameters["request_uri"])
    assert refused.status_code == 400
    assert "not registered" in refused.json()["error_description"]


def test_another_party_or_key_gives_another_pseudonym():
    other = signer(KeyType.P256, 42)
    names = {
        pseudonym_of(party=party, key=key.key)
        for party in ("did:cairn:test:bar", "did:cairn:test:bank")
        for key in (KEY, other)
    }
    assert len(names) == 4


def test_what_is_not_asked_for_is_not_kept(bench):
    asked = bench.ask()
    wanted = bench.object(asked)
    form = bench.form(wanted)

    answer = bench.answer(wanted, {**form, "pseudonym": "nonsense"})

    assert answer.status_code == 200
    assert "pseudonym" not in bench.result(asked).json()["verdict"]


def test_without_one_a_wish_is_no_demand_and_a_demand_is_a_no(bench):
    asked = bench.ask(pseudonym="wanted")
    wanted = bench.object(asked)
    assert bench.answer(wanted, bench.form(wanted)).status_code == 200
    assert "pseudonym" not in bench.result(asked).json()["verdict"]

    asked = bench.ask(pseudonym="required")
    wanted = bench.object(asked)
    refused = bench.answer(wanted, bench.form(wanted))
    assert refused.status_code == 400
    assert "policy: pseudonym_missing" in refused.json()["error_description"]
    assert answered(bench)["pseudonym"]


def test_in_an_encrypted_answer_it_counts_as_well(bench):
    asked = bench.ask(pseudonym="required", encrypted=True)
    wanted = bench.object(asked)
    form = bench.form(wanted)

    answer = answer_encrypted(bench, wanted, {**form, "pseudonym": statement(bench, wanted, form)})

    assert answer.status_code == 200, answer.text
    assert bench.result(asked).json()["verdict"]["pseudonym"] == answered(bench)["pseudonym"]


def _honest_claims(bench: Workbench, wanted: Any, form: Any) -> JsonObject:
    return jose.parse_compact(statement(bench, wanted, form)).claims


Spoil = Callable[[Workbench, Any, Any], Any]
VALID, OTHER = "holder_binding: pseudonym_not_valid", "audience: pseudonym_other_"
WRONG: dict[str, tuple[Spoil, str]] = {
    "another type": (
        lambda b, w, f: signed(KEY, _honest_claims(b, w, f), typ="kb+jwt"),
        VALID,
    ),
    "no key in the header": (
        lambda b, w, f: signed(KEY, _honest_claims(b, w, f), jwk=None, kid="did:key:z#z"),
        VALID,
    ),
    "a second name for the key": (
        lambda b, w, f: signed(KEY, _honest_claims(b, w, f), kid="did:key:z#z"),
        VALID,
    ),
    "the private half of a key": (
        lambda b, w, f: signed(KEY, _honest_claims(b, w, f), jwk={**KEY.key.jwk, "d": "AA"}),
        VALID,
    ),
    "a key of another curve": (
        lambda b, w, f: statement(b, w, f, key=signer(KeyType.ED25519, 41)),
        VALID,
    ),
    "another's key": (
        lambda b, w, f: signed(KEY, _honest_claims(b, w, f), jwk=signer(KeyType.P256, 42).key.jwk),
        VALID,
    ),
    "one claim more": (lambda b, w, f: statement(b, w, f, sub="alice"), VALID),
    "no date": (lambda b, w, f: statement(b, w, f, iat=None), VALID),
    "a date that is no number": (lambda b, w, f: statement(b, w, f, iat=True), VALID),
    "old": (lambda b, w, f: statement(b, w, f, iat=b.stage.ledger.now - 361), VALID),
    "of tomorrow": (lambda b, w, f: statement(b, w, f, iat=b.stage.ledger.now + 120), VALID),
    "another audience": (
        lambda b, w, f: statement(b, w, f, aud="x509_san_dns:shop.example"),
        OTHER + "audience",
    ),
    "a list of audiences": (
        lambda b, w, f: statement(b, w, f, aud=[w["client_id"]]),
        OTHER + "audience",
    ),
    "another nonce": (lambda b, w, f: statement(b, w, f, nonce="n-0S6_WzA2Mj"), OTHER + "nonce"),
    "of another answer": (
        lambda b, w, f: statement(b, w, {"vp_token": json.dumps({"resident-identity": ["x"]})}),
        OTHER + "answer",
    ),
    "a changed signature": (
        lambda b, w, f: statement(b, w, f).rpartition(".")[0] + "." + "A" * 86,
        VALID,
    ),
    "no JWS": (lambda b, w, f: "pseudonym", VALID),
    "empty": (lambda b, w, f: "", VALID),
    "endless": (lambda b, w, f: "A" * 5000, VALID),
}


@pytest.mark.parametrize("wish", ["wanted", "required"])
@pytest.mark.parametrize("name", WRONG)
def test_a_spoilt_pseudonym_is_a_no_and_its_twin_is_not(bench: Workbench, name, wish):
    spoil, told = WRONG[name]
    asked = bench.ask(pseudonym=wish)
    wanted = bench.object(asked)
    form = bench.form(wanted)

    answer = bench.answer(wanted, {**form, "pseudonym": spoil(bench, wanted, form)})

    assert answer.status_code == 400
    assert told in answer.json()["error_description"]
    verdict = bench.result(asked).json()["verdict"]
    assert verdict["verified"] is False
    assert verdict["credentials"] == []
    assert "pseudonym" not in verdict
    assert answered(bench, wish)["pseudonym"]


@pytest.mark.parametrize("kind", ["dc+sd-jwt", "jwt_vc_json", "mso_mdoc"])
def test_the_key_of_a_copy_is_no_pseudonym_and_a_key_of_its_own_is(bench: Workbench, kind):
    told = []
    for own in (False, True):
        asked = bench.ask(pseudonym="required", format=kind)
        wanted = bench.object(asked)
        held = bench.stage.issue_in(kind)
        form = bench.form(wanted, held)
        key: Any = KEY if own else held.holder
        answer = bench.answer(wanted, {**form, "pseudonym": statement(bench, wanted, form, key)})
        told.append((answer.status_code, answer.text))

    (refused, why), (taken, _) = told
    assert refused == 400
    assert "holder_binding: pseudonym_key_reused" in why
    assert taken == 200


def test_a_pseudonym_beside_a_credential_that_fails_is_not_handed_on(bench: Workbench):
    asked = bench.ask(pseudonym="required")
    wanted = bench.object(asked)
    form = bench.form(wanted)
    bench.stage.agency.set_status(7, 1)

    answer = bench.answer(wanted, {**form, "pseudonym": statement(bench, wanted, form)})

    assert answer.status_code == 400
    assert "pseudonym" not in bench.result(asked).json()["verdict"]
    bench.stage.agency.set_status(7, 0)
    assert answered(bench)["pseudonym"]


def test_the_hash_over_presentations_is_the_wallet_pages():
    """The page's tests hold the same value."""
    assert (
        presentations_hash({"b": ["x~y~"], "a": ["é"]})
        == "Zj6JpOWu1RedTs5bKVKViRGeoL4SBlJdi0KD1MwIOls"
    )
