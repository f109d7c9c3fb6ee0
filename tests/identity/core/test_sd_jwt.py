"""SD-JWT: each rule of RFC 9901 §7.1 and §7.3, broken once."""

import contextlib
import copy
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.core.jose import JwsNotAccepted, sign_compact
from identity.core.sd_jwt import (
    CLOCK_SKEW_SECONDS,
    MAX_DISCLOSURES,
    MAX_SD_JWT_CHARS,
    ClaimNotThere,
    KeyBindingMissing,
    KeyBindingNotValid,
    SdJwtMalformed,
    add_key_binding,
    issue_sd_jwt,
    make_disclosures,
    parse_sd_jwt,
    present,
    verify_key_binding,
    verify_sd_jwt,
)
from registry.core.encoding import base64url_decode, base64url_encode
from registry.core.keys import KeyType, SignatureNotValid
from registry.core.refusals import Malformed, Refusal
from tests.identity.core.signers import signer

ISSUER = signer(KeyType.P256, 1)
HOLDER = signer(KeyType.P256, 2)
NOW = 1_750_000_000
CLAIMS = {
    "given_name": "Mei",
    "family_name": "Li",
    "address": {"street": "1 Example Road", "city": "Shanghai"},
    "nationalities": ["CN", "SG"],
}
PATHS = [
    ("given_name",),
    ("family_name",),
    ("address",),
    ("address", "street"),
    ("address", "city"),
    ("nationalities", None),
]


def counting_random():
    draws = iter(range(1, 1_000_000))
    return lambda size: next(draws).to_bytes(size, "big")


def issued(claims=CLAIMS, paths=PATHS, **more) -> str:
    payload, disclosures = make_disclosures(claims, random=counting_random(), paths=paths)
    return signed({**payload, **more}, disclosures)


def signed(payload: dict, disclosures=()) -> str:
    return issue_sd_jwt(
        payload=payload, disclosures=disclosures, header={"typ": "dc+sd-jwt"}, signer=ISSUER
    )


def verify(text: str):
    return verify_sd_jwt(parse_sd_jwt(text), key=ISSUER.key)


def disclosure(*content) -> str:
    return base64url_encode(json.dumps(content).encode())


def digest(text: str, name: str = "sha256") -> str:
    return base64url_encode(hashlib.new(name, text.encode()).digest())


NAME = disclosure("salt", "given_name", "Mei")
ELEMENT = disclosure("salt", "CN")


# Issuing


def test_claims_are_gone_from_the_payload_and_digests_are_sorted():
    payload, disclosures = make_disclosures(CLAIMS, random=counting_random())

    assert set(payload) == {"_sd", "_sd_alg"}
    assert payload["_sd"] == sorted(digest(text) for text in disclosures)
    assert payload["_sd_alg"] == "sha-256"


def test_every_disclosure_has_a_salt_of_128_bits_of_its_own():
    _, disclosures = make_disclosures(CLAIMS, random=counting_random(), paths=PATHS)

    salts = [json.loads(base64url_decode(text))[0] for text in disclosures]

    assert len(set(salts)) == len(salts) == 7
    assert {len(base64url_decode(salt)) for salt in salts} == {16}


def test_decoys_cannot_be_told_from_digests():
    payload, disclosures = make_disclosures(CLAIMS, random=counting_random(), decoys=5)

    assert len(payload["_sd"]) == len(disclosures) + 5
    assert payload["_sd"] == sorted(payload["_sd"])
    assert {len(entry) for entry in payload["_sd"]} == {43}
    assert verify(signed(payload, disclosures)).claims == CLAIMS


@pytest.mark.parametrize(
    "claims",
    [{"_sd": 1}, {"...": 1}, {"_sd_alg": "x"}, {"a": {"_sd": []}}, {"a": [{"...": "x"}]}],
)
def test_reserved_names_are_no_claims(claims):
    with pytest.raises(SdJwtMalformed):
        make_disclosures(claims, random=counting_random())


@pytest.mark.parametrize("path", [("nope",), ("address", "nope"), ("nationalities", 2), ()])
def test_a_path_that_leads_nowhere_is_refused(path):
    with pytest.raises(ClaimNotThere):
        make_disclosures(CLAIMS, random=counting_random(), paths=[path])
    with pytest.raises(ClaimNotThere):
        present(issued(), [path])


def test_the_claims_given_are_left_as_they_are():
    before = copy.deepcopy(CLAIMS)

    make_disclosures(CLAIMS, random=counting_random(), paths=PATHS)

    assert before == CLAIMS


# Holding


@pytest.mark.parametrize(
    ("paths", "claims"),
    [
        ([], {"nationalities": []}),
        ([("given_name",)], {"given_name": "Mei", "nationalities": []}),
        ([("address", "city")], {"address": {"city": "Shanghai"}, "nationalities": []}),
        ([("address",)], {"address": CLAIMS["address"], "nationalities": []}),
        ([("nationalities", 1)], {"nationalities": ["SG"]}),
        ([("nationalities", None)], {"nationalities": ["CN", "SG"]}),
        ([("nationalities",)], {"nationalities": ["CN", "SG"]}),
    ],
)
def test_only_what_a_path_needs_is_shown(paths, claims):
    assert verify(present(issued(), paths)).claims == claims


def test_what_is_not_hidden_needs_no_disclosure():
    text = present(issued(paths=[("given_name",)]), [("family_name",)])

    assert parse_sd_jwt(text).disclosures == ()


# Verifying


@pytest.mark.parametrize(
    ("name", "function"), [("sha-256", "sha256"), ("sha-384", "sha384"), ("sha-512", "sha512")]
)
def test_hash_functions_by_their_registered_names(name, function):
    text = signed({"_sd": [digest(NAME, function)], "_sd_alg": name}, [NAME])

    assert verify(text).claims == {"given_name": "Mei"}


def test_the_default_is_sha_256():
    assert verify(signed({"_sd": [digest(NAME)]}, [NAME])).claims == {"given_name": "Mei"}


@pytest.mark.parametrize("name", ["md5", "SHA-256", "sha256", "sha-1", "", None, 5, ["sha-256"]])
def test_other_hash_functions_are_refused(name):
    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(NAME)], "_sd_alg": name}, [NAME]))


def test_digests_without_disclosure_are_decoys_and_leave_no_trace():
    text = signed({"_sd": ["A" * 43], "a": [{"...": "B" * 43}, 1], "o": {"_sd": ["C" * 43]}})

    assert verify(text).claims == {"a": [1], "o": {}}


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        pytest.param({}, [NAME], id="no digest names it"),
        pytest.param({"_sd": [digest(NAME)]}, [NAME, ELEMENT], id="no digest names one of two"),
        pytest.param({"_sd": [digest(NAME)]}, [NAME, NAME], id="sent twice"),
        pytest.param({"_sd": [digest(NAME)] * 2}, [NAME], id="named twice in one _sd"),
        pytest.param({"_sd": ["A" * 43] * 2}, [], id="a decoy named twice"),
        pytest.param(
            {"_sd": [digest(NAME)], "o": {"_sd": [digest(NAME)]}}, [NAME], id="named at two levels"
        ),
        pytest.param(
            {"a": [{"...": digest(ELEMENT)}, {"...": digest(ELEMENT)}]},
            [ELEMENT],
            id="two elements",
        ),
        pytest.param(
            {"_sd": ["A" * 43], "a": [{"...": "A" * 43}]}, [], id="as a claim and as an element"
        ),
        pytest.param({"_sd": [digest(NAME)], "given_name": "Eve"}, [NAME], id="exists already"),
        pytest.param({"_sd": digest(NAME)}, [NAME], id="_sd is text"),
        pytest.param({"_sd": {digest(NAME): 1}}, [NAME], id="_sd is an object"),
        pytest.param({"_sd": [5]}, [], id="a digest is a number"),
        pytest.param({"_sd": [None]}, [], id="a digest is null"),
        pytest.param({"a": [{"...": 5}]}, [], id="an element's digest is a number"),
        pytest.param({"...": "A" * 43}, [], id="... at the top"),
        pytest.param({"o": {"...": "A" * 43}}, [], id="... outside an array"),
        pytest.param({"a": [{"...": "A" * 43, "b": 1}]}, [], id="... beside a claim"),
        pytest.param({"_sd": [digest(ELEMENT)]}, [ELEMENT], id="an element as a claim"),
        pytest.param({"a": [{"...": digest(NAME)}]}, [NAME], id="a claim as an element"),
    ],
)
def test_digests_and_disclosures_that_do_not_fit_are_refused(payload, disclosures):
    with pytest.raises(SdJwtMalformed):
        verify(signed(payload, disclosures))


@pytest.mark.parametrize(
    "content",
    [
        ["salt", "_sd", ["A" * 43]],
        ["salt", "...", "x"],
        ["salt", "_sd_alg", "sha-512"],
        ["salt", 5, "value"],
        ["salt", None, "value"],
        [5, "name", "value"],
        [None, "name", "value"],
        ["salt"],
        [],
        ["salt", "name", "value", "more"],
        {"salt": "name"},
        "salt",
        5,
    ],
)
def test_disclosures_of_another_form_are_refused(content):
    text = base64url_encode(json.dumps(content).encode())

    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(text)]}, [text]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "é",
        NAME + "=",
        NAME + "\n",
        base64url_encode(b"not json"),
        base64url_encode(b'["salt","a",{"b":1,"b":2}]'),
        base64url_encode(b'["salt","a",NaN]'),
        base64url_encode(b'["salt","a",' + b"[" * 40 + b"]" * 40 + b"]"),
    ],
)
def test_disclosures_that_are_not_strict_are_refused(text):
    with contextlib.suppress(UnicodeEncodeError), pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(text)]}, [text]))


def test_a_disclosed_value_cannot_repeat_a_digest_or_a_claim():
    inner = disclosure("salt", "inner", 1)
    outer = disclosure("salt", "outer", {"_sd": [digest(inner)]})
    assert verify(signed({"_sd": [digest(outer)]}, [outer, inner])).claims == {
        "outer": {"inner": 1}
    }

    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(outer), digest(inner)]}, [outer, inner]))
    clashing = disclosure("salt", "outer", {"_sd": [digest(inner)], "inner": 2})
    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(clashing)]}, [clashing, inner]))


def test_two_disclosures_cannot_name_the_same_claim():
    other = disclosure("other salt", "given_name", "Eve")

    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(NAME), digest(other)]}, [NAME, other]))


def test_an_inner_disclosure_without_its_outer_one_is_refused():
    inner = disclosure("salt", "inner", 1)
    outer = disclosure("salt", "outer", {"_sd": [digest(inner)]})

    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(outer)]}, [inner]))


def test_disclosures_that_nest_without_end_are_refused():
    text = disclosure("salt", "x", 1)
    chain = [text]
    for _ in range(50):
        text = disclosure("salt", "x", {"_sd": [digest(text)]})
        chain.append(text)

    with pytest.raises(SdJwtMalformed):
        verify(signed({"_sd": [digest(text)]}, chain))


def test_another_type_key_or_algorithm_is_refused():
    unverified = parse_sd_jwt(issued())
    verify_sd_jwt(unverified, key=ISSUER.key)

    with pytest.raises(SignatureNotValid):
        verify_sd_jwt(unverified, key=HOLDER.key)
    with pytest.raises(JwsNotAccepted):
        verify_sd_jwt(unverified, key=ISSUER.key, typ="vc+jwt")
    with pytest.raises(JwsNotAccepted):
        verify_sd_jwt(unverified, key=signer(KeyType.ED25519).key)


@pytest.mark.parametrize("text", ["", "abc", None, 5, "~", "a~b", "~~~", "a.b.c"])
def test_what_is_no_sd_jwt_is_refused(text):
    with pytest.raises(Malformed):
        parse_sd_jwt(text)


def test_a_jwt_without_tilde_is_refused():
    with pytest.raises(SdJwtMalformed):
        parse_sd_jwt(issued().split("~")[0])


def test_an_sd_jwt_is_bounded():
    jwt = issued().split("~")[0]
    parse_sd_jwt("~".join([jwt, *["x"] * MAX_DISCLOSURES, ""]))

    with pytest.raises(SdJwtMalformed):
        parse_sd_jwt("~".join([jwt, *["x"] * (MAX_DISCLOSURES + 1), ""]))
    with pytest.raises(SdJwtMalformed):
        parse_sd_jwt(jwt + "~" + "x" * MAX_SD_JWT_CHARS + "~")


# Key binding


def bound(presentation=None, *, holder=HOLDER, header=None, **claims) -> str:
    """A presentation with a KB-JWT in which some claims are other than they should be."""
    shown = presentation or present(issued(), [("given_name",)])
    payload = {"iat": NOW, "aud": "verifier", "nonce": "n", "sd_hash": digest(shown), **claims}
    payload = {name: value for name, value in payload.items() if value is not ...}
    return shown + sign_compact(header=header or {"typ": "kb+jwt"}, payload=payload, signer=holder)


def check(text, *, key=HOLDER.key, audience="verifier", nonce="n", now=NOW, max_age=300):
    return verify_key_binding(
        parse_sd_jwt(text),
        holder_key=key,
        audience=audience,
        nonce=nonce,
        now=now,
        max_age_seconds=max_age,
    )


def test_a_good_key_binding():
    shown = present(issued(), [("given_name",)])
    text = add_key_binding(shown, signer=HOLDER, audience="verifier", nonce="n", issued_at=NOW)

    binding = check(text)

    assert (binding.audience, binding.nonce, binding.issued_at) == ("verifier", "n", NOW)
    assert check(bound()) == binding


def test_a_missing_key_binding_is_its_own_refusal():
    with pytest.raises(KeyBindingMissing):
        check(issued())


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another verifier"},
        {"aud": ["verifier"]},
        {"aud": ["verifier", "another"]},
        {"aud": ...},
        {"nonce": "m"},
        {"nonce": "N"},
        {"nonce": ...},
        {"nonce": 5},
        {"nonce": "\u00e9"},
        {"sd_hash": ...},
        {"sd_hash": "A" * 43},
        {"sd_hash": 5},
        {"iat": ...},
        {"iat": str(NOW)},
        {"iat": True},
        {"iat": None},
        {"iat": NOW - 301},
        {"iat": NOW + CLOCK_SKEW_SECONDS + 1},
        {"exp": NOW - CLOCK_SKEW_SECONDS},
        {"exp": str(NOW + 60)},
        {"nbf": NOW + CLOCK_SKEW_SECONDS + 1},
        {"nbf": True},
    ],
)
def test_a_key_binding_for_something_else_is_refused(claims):
    check(bound())

    with pytest.raises(KeyBindingNotValid):
        check(bound(**claims))


@pytest.mark.parametrize("iat", [NOW - 300, NOW, NOW + CLOCK_SKEW_SECONDS])
def test_the_window_of_iat_includes_its_ends(iat):
    check(bound(iat=iat))


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": NOW + 0.75},  # RFC 7519 §2: a NumericDate may have a fraction
        {"exp": NOW - CLOCK_SKEW_SECONDS + 1, "nbf": NOW + CLOCK_SKEW_SECONDS},
        {"exp": NOW + 60, "nbf": NOW - 60, "jti": "1"},
    ],
)
def test_a_key_binding_that_is_valid_now_is_taken(claims):
    check(bound(**claims))


def test_another_holder_or_type_is_refused():
    with pytest.raises(SignatureNotValid):
        check(bound(holder=signer(KeyType.P256, 3)))
    for typ in ("JWT", "dc+sd-jwt", "KB+JWT"):
        with pytest.raises(JwsNotAccepted):
            check(bound(header={"typ": typ}))


def test_a_key_binding_is_for_these_disclosures_and_no_others():
    full = issued()
    text = bound(present(full, [("given_name",)]))
    binding = text.rsplit("~", 1)[1]
    more = present(full, [("given_name",), ("family_name",)])
    fewer = present(full, [])

    for other in (more, fewer):
        with pytest.raises(KeyBindingNotValid):
            check(other + binding)


def test_the_order_of_disclosures_is_bound_too():
    first, *disclosures, _ = present(issued(), [("given_name",), ("family_name",)]).split("~")
    text = "~".join([first, *disclosures, ""])
    swapped = "~".join([first, *reversed(disclosures), ""])
    binding = bound(text).rsplit("~", 1)[1]
    check(text + binding)

    with pytest.raises(KeyBindingNotValid):
        check(swapped + binding)


def test_the_hash_is_the_one_that_the_issuer_chose():
    shown = signed({"_sd": [], "_sd_alg": "sha-384"})
    text = add_key_binding(shown, signer=HOLDER, audience="verifier", nonce="n", issued_at=NOW)
    check(text)

    with pytest.raises(KeyBindingNotValid):
        check(bound(shown))  # hashed with SHA-256


def test_a_second_key_binding_is_refused():
    with pytest.raises(SdJwtMalformed):
        add_key_binding(bound(), signer=HOLDER, audience="v", nonce="n", issued_at=NOW)


@given(st.text(alphabet="~.eyJAb0-_", max_size=60))
def test_garbage_is_refused_and_never_escapes_as_another_error(text):
    with contextlib.suppress(Refusal):
        unverified = parse_sd_jwt(text)
        verify_sd_jwt(unverified, key=ISSUER.key)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=3)
    | st.just(digest(NAME))
    | st.just(digest(ELEMENT)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "given_name"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "given_name"]), json_values))
def test_a_signed_payload_of_any_shape_is_verified_or_refused(payload):
    with contextlib.suppress(Refusal):
        claims = verify(signed(payload, [NAME])).claims
        assert "_sd" not in json.dumps(claims)


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), plain_values, max_size=4))
def test_any_claims_come_back(claims):
    if {"_sd", "...", "_sd_alg"} & set(json.dumps(claims).split('"')):
        return
    payload, disclosures = make_disclosures(claims, random=counting_random())

    assert verify(signed(payload, disclosures)).claims == claims
