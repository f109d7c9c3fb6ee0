"""SD-JWT in JSON (RFC 9901 §8): the two examples with that form, and what is refused."""

import copy
from typing import Any

import pytest
import yaml

from identity.core.sd_jwt import (
    ClaimPath,
    SdJwtMalformed,
    add_key_binding,
    issue_sd_jwt,
    make_disclosures,
    parse_sd_jwt,
    present,
    verify_key_binding,
    verify_sd_jwt,
)
from identity.core.sd_jwt.json_form import (
    MAX_SIGNATURES,
    flattened,
    general,
    key_ids,
    parse_sd_jwt_json,
)
from registry.core.keys import SignatureNotValid
from registry.core.refusals import Refusal
from tests.identity.core.signers import KeySigner, signer_of_jwk
from tests.vectors import vectors_dir

FOLDER = vectors_dir() / "sd-jwt/examples"
NOW = 1_683_000_000


class Loader(yaml.SafeLoader):
    """Reads `!sd name` as a name that is kept back."""


Loader.add_constructor("!sd", lambda loader, node: f"!{loader.construct_scalar(node)}")


def example(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(
        (FOLDER / name / "specification.yml").read_text("utf-8"), Loader
    )
    assert read["serialization_format"] == "json"
    return read


FLATTENED = example("json_serialization_flattened")
GENERAL = example("json_serialization_general")
SETTINGS = yaml.safe_load((FOLDER / "settings.yml").read_text("utf-8"))["key_settings"]


def keys_of(case: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Private JWKs of the issuer, and that of the holder."""
    settings = case.get("settings_override", {}).get("key_settings", SETTINGS)
    return settings["issuer_keys"], settings["holder_key"]


def issued(case: dict[str, Any], signer: KeySigner, payload: Any, disclosures: Any) -> str:
    return issue_sd_jwt(
        payload=payload, disclosures=disclosures, header={"typ": "dc+sd-jwt"}, signer=signer
    )


def made(case: dict[str, Any]) -> tuple[dict[str, Any], list[KeySigner], dict[str, Any]]:
    """The example in JSON, as presented with its key binding; its signers; its claims."""
    keys, holder = keys_of(case)
    signers = [signer_of_jwk(key) for key in keys]
    claims = {name.removeprefix("!"): value for name, value in case["user_claims"].items()}
    hidden: list[ClaimPath] = [
        (name.removeprefix("!"),) for name in case["user_claims"] if name.startswith("!")
    ]
    draws = iter(range(1, 1_000))
    payload, disclosures = make_disclosures(
        {"iss": "https://issuer.example.com", **claims},
        paths=hidden,
        random=lambda size: next(draws).to_bytes(size, "big"),
    )
    texts = [issued(case, signer, payload, disclosures) for signer in signers]
    wanted: list[ClaimPath] = [(name,) for name in case["holder_disclosed_claims"]]
    texts[0] = present(texts[0], wanted)
    if case.get("key_binding"):
        texts[0] = add_key_binding(
            texts[0],
            signer=signer_of_jwk(holder),
            audience="https://verifier.example.org",
            nonce="1234567890",
            issued_at=NOW,
        )
    headers = [{"kid": key["kid"]} for key in keys if "kid" in key]
    if len(texts) == 1:
        return flattened(texts[0], header=headers[0] if headers else None), signers, claims
    return general(texts, headers=headers), signers, claims


CASES = {"flattened": FLATTENED, "general": GENERAL}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_the_examples_are_of_both_forms():
    assert len(keys_of(FLATTENED)[0]) == 1
    assert len(keys_of(GENERAL)[0]) == 2
    assert "signatures" not in made(FLATTENED)[0]
    assert len(made(GENERAL)[0]["signatures"]) == 2


@each_case
def test_each_signature_verifies_and_shows_what_the_holder_chose(case):
    value, signers, claims = made(case)

    parsed = parse_sd_jwt_json(value)

    assert len(parsed) == len(signers)
    for one, signer in zip(parsed, signers, strict=True):
        verified = verify_sd_jwt(one, key=signer.key)
        assert set(verified.claims) - {"iss"} == set(case["holder_disclosed_claims"])
        assert all(
            claims[name] == verified.claims[name] for name in case["holder_disclosed_claims"]
        )


def test_signatures_are_told_apart_by_kid_and_each_needs_its_own_key():
    value, signers, _ = made(GENERAL)

    assert key_ids(value) == ("issuer-key-1", "issuer-key-2")
    assert key_ids(made(FLATTENED)[0]) == (None,)
    for one, other in zip(parse_sd_jwt_json(value), reversed(signers), strict=True):
        with pytest.raises(SignatureNotValid):
            verify_sd_jwt(one, key=other.key)


@each_case
def test_the_key_binding_is_over_the_compact_form_of_the_first_signature(case):
    if not case.get("key_binding"):
        case = {**case, "key_binding": True}
    value, _, _ = made(case)
    first = parse_sd_jwt_json(value)[0]

    verify_key_binding(
        first,
        holder_key=signer_of_jwk(keys_of(case)[1]).key,
        audience="https://verifier.example.org",
        nonce="1234567890",
        now=NOW,
        max_age_seconds=60,
    )


@each_case
def test_the_json_form_and_the_compact_form_are_the_same_thing(case):
    value, _, _ = made(case)
    first = parse_sd_jwt_json(value)[0]
    text = f"{first.without_key_binding}{first.key_binding or ''}"

    assert parse_sd_jwt(text) == first
    if "signatures" not in value:
        assert flattened(text) == value


def change(path: list[Any], new: Any) -> Any:
    def apply(value: Any) -> Any:
        changed = copy.deepcopy(value)
        place = changed
        for step in path[:-1]:
            place = place[step]
        if new is None:
            del place[path[-1]]
        else:
            place[path[-1]] = new
        return changed

    return apply


@pytest.mark.parametrize(
    ("form", "spoil"),
    [
        ("flattened", change(["payload"], None)),
        ("flattened", change(["payload"], 7)),
        ("flattened", change(["payload"], "a.b")),
        ("flattened", change(["payload"], "a~b")),
        ("flattened", change(["protected"], None)),
        ("flattened", change(["protected"], "")),
        ("flattened", change(["signature"], None)),
        ("flattened", change(["signature"], ["x"])),
        ("flattened", change(["header"], "text")),
        ("flattened", change(["header", "disclosures"], "text")),
        ("flattened", change(["header", "disclosures"], [7])),
        ("flattened", change(["header", "disclosures"], ["a~b"])),
        ("flattened", change(["header", "disclosures"], ["x"] * 1_000)),
        ("flattened", change(["header", "kb_jwt"], 7)),
        ("flattened", change(["header", "kb_jwt"], "a~b")),
        ("flattened", change(["header", "kb_jwt"], "")),
        ("flattened", change(["header", "alg"], "none")),
        ("flattened", change(["header", "typ"], "dc+sd-jwt")),
        ("flattened", change(["signatures"], [])),
        ("general", change(["signatures"], [])),
        ("general", change(["signatures"], "text")),
        ("general", change(["signatures", 1], "text")),
        ("general", change(["signatures", 1, "protected"], None)),
        ("general", change(["signatures", 1, "header", "disclosures"], [])),
        ("general", change(["signatures", 1, "header", "kb_jwt"], "x.y.z")),
        ("general", change(["signatures"], [{}] * (MAX_SIGNATURES + 1))),
        ("general", change(["protected"], "x")),
        ("general", change(["header"], {"disclosures": []})),
        ("general", change(["payload"], None)),
    ],
)
def test_what_is_refused(form, spoil):
    value, _, _ = made(CASES[form])
    parse_sd_jwt_json(value)

    with pytest.raises(Refusal):
        parse_sd_jwt_json(spoil(value))


@pytest.mark.parametrize("value", [None, [], "text", 7, {}, {"payload": "e30"}])
def test_what_is_no_sd_jwt_in_json(value):
    with pytest.raises(SdJwtMalformed):
        parse_sd_jwt_json(value)


def test_signatures_over_two_payloads_make_no_general_form():
    value, signers, _ = made(GENERAL)
    one = issued(GENERAL, signers[0], {"a": 1}, ())
    other = issued(GENERAL, signers[1], {"a": 2}, ())

    assert value["payload"]
    with pytest.raises(SdJwtMalformed):
        general([one, other])
    with pytest.raises(SdJwtMalformed):
        general([])
