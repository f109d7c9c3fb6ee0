"""Section 8 of the contract: VC-JOSE-COSE in all three forms, both ways, and what is refused."""

import copy
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest

from identity.core.sd_jwt import add_key_binding, present
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from tests.contract.vc_api.suite import ABSENT, VERIFIERS, Suite, changed, envelope_of

INSTANCES = {
    "enveloped": "ES256",
    "enveloped-p384": "ES384",
    "enveloped-p521": "ES512",
    "enveloped-ed25519": "EdDSA",
}
KINDS = ("enveloped", "enveloped-sd-jwt", "enveloped-cose")
MEMBERS = ("vc", "vp")
SUBJECT = {"id": "did:example:alice", "degree": {"name": "Bachelor"}, "name": "Alice"}


def text_of(envelope: Any) -> str:
    return envelope["id"].partition(",")[2]


def presented(suite: Suite, kind: str, document: Any, **options: Any) -> Any:
    """A presentation signed and enveloped in one of the three ways."""
    if kind == "enveloped":
        return suite.envelope(
            document,
            typ="vp+jwt",
            media_type="application/vp+jwt",
            kind="EnvelopedVerifiablePresentation",
        )
    if kind == "enveloped-sd-jwt":
        return suite.sd_jwt_envelope(document, member="vp", **options)
    return suite.cose_envelope(canonical_json(document), member="vp")


@pytest.mark.parametrize("instance", INSTANCES)
def test_jose_algorithm_type_and_key_id(suite: Suite, instance: str):
    head, payload, _ = text_of(suite.issued(instance)).split(".")

    assert parse_json_object(base64url_decode(head)) == {
        "alg": INSTANCES[instance],
        "typ": "vc+jwt",
        "cty": "vc",
        "kid": suite.signer(instance).verification_method,
    }
    assert parse_json_object(base64url_decode(payload)) == suite.credential(instance)


def test_cose_content_type_typ_key_id_and_payload(suite: Suite):
    text = text_of(suite.issued("enveloped-cose"))

    tag = cbor2.loads(b64decode(text, validate=True))

    assert tag.tag == 18
    header, unprotected, payload, signature = tag.value
    assert cbor2.loads(header) == {
        1: -7,
        3: "application/vc",
        4: suite.signer("enveloped-cose").verification_method.encode(),
        16: "application/vc+cose",
    }
    assert unprotected == {}
    assert parse_json_object(payload) == suite.credential("enveloped-cose")
    assert len(signature) == 64


def test_sd_jwt_the_members_of_the_subject_may_be_kept_back(suite: Suite):
    document = suite.credential("enveloped-sd-jwt", credentialSubject=SUBJECT)
    text = text_of(suite.issue(document, "enveloped-sd-jwt").credential)

    payload = parse_json_object(base64url_decode(text.split("~")[0].split(".")[1]))
    assert "degree" not in payload["credentialSubject"]
    assert payload["credentialSubject"]["id"] == "did:example:alice"
    assert len(payload["credentialSubject"]["_sd"]) == 2
    for shown in ([("credentialSubject", "name")], []):
        part = envelope_of("application/vc+sd-jwt", present(text, shown))
        for party in VERIFIERS:
            assert suite.verify(part, party).is_verified


def test_sd_jwt_mandatory_pointers_are_not_kept_back(suite: Suite):
    document = suite.credential("enveloped-sd-jwt", credentialSubject=SUBJECT)
    for pointers, hidden in (
        (["/credentialSubject/name"], 1),
        (["/credentialSubject/degree/name", "/issuer"], 1),
        (["/credentialSubject"], 0),
    ):
        options = {"mandatoryPointers": pointers}
        text = text_of(suite.issue(document, "enveloped-sd-jwt", options=options).credential)
        assert text.count("~") == hidden + 1
    options = {"mandatoryPointers": ["/credentialSubject/nothing"]}
    suite.issue(document, "enveloped-sd-jwt", options=options).must_refuse()


@pytest.mark.parametrize("instance", [*INSTANCES, "enveloped-sd-jwt", "enveloped-cose"])
def test_data_model_1_is_not_enveloped_and_wrong_documents_are_not_issued(
    suite: Suite, instance: str
):
    suite.issue(suite.older(instance), instance).must_refuse()
    suite.issue(suite.credential(instance, undefinedTerm=1, **{"@context": ABSENT}), instance)
    suite.issue(suite.credential("status"), instance).must_refuse()


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("instance", [*INSTANCES, "enveloped-sd-jwt", "enveloped-cose"])
def test_any_other_key_and_any_other_bytes_are_refused(suite: Suite, instance: str, party: str):
    envelope = suite.issued(instance)
    assert suite.verify(envelope, party).is_verified

    text, media_type = text_of(envelope), envelope["id"].partition(",")[0]
    other = text_of(suite.issued(instance, name="Other"))
    spliced = (
        ".".join((*text.split(".")[:2], other.split("~")[0].split(".")[2]))
        if "." in text
        else b64encode(b64decode(text)[:-8] + bytes(8)).decode()
    )
    for bad in (spliced, text.rstrip("=")[:-2], text + "A", text[1:], ""):
        assert not suite.verify(changed(envelope, id=f"{media_type},{bad}"), party).is_verified
    assert suite.verify(envelope, party).is_verified


@pytest.mark.parametrize("kind", KINDS)
def test_the_media_type_says_what_it_is_and_nothing_is_read_as_another(suite: Suite, kind: str):
    envelope = suite.issued(kind)
    text = text_of(envelope)
    own = envelope["id"].partition(",")[0]
    for subtype in (
        *("vc+jwt", "vp+jwt", "vc+sd-jwt", "vp+sd-jwt", "vc+cose;base64", "vp+cose;base64"),
        *("jwt", "vc+cose", "vc+ld+jwt", "vc-ld+jwt", "dc+sd-jwt", "vc", "json", ""),
        *("vc+jwt;base64", "VC+JWT", "vc+jwt;charset=utf-8"),
    ):
        if f"data:application/{subtype}" != own:
            bad = changed(envelope, id=f"data:application/{subtype},{text}")
            assert not suite.verify(bad).is_verified, subtype


def test_every_signed_type_but_the_right_one_is_refused(suite: Suite):
    document = suite.credential("enveloped-sd-jwt")
    assert suite.verify(suite.sd_jwt_envelope(document)).is_verified
    for typ in ("vc+jwt", "vp+sd-jwt", "dc+sd-jwt", "JWT", "kb+jwt", "statuslist+jwt", "sd+jwt"):
        assert not suite.verify(suite.sd_jwt_envelope(document, typ=typ)).is_verified
    # RFC 7515 §4.1.9 lets the prefix stand.
    long = suite.sd_jwt_envelope(document, typ="application/vc+sd-jwt")
    assert suite.verify(long).is_verified
    plain = suite.credential("enveloped")
    assert suite.verify(suite.envelope(plain, typ="application/vc+jwt")).is_verified
    assert suite.verify(suite.envelope(plain, cty="vc")).is_verified
    for cty in ("vp", "bad+cty", "", 7, "vc+jwt"):
        assert not suite.verify(suite.envelope(plain, cty=cty)).is_verified


COSE_HEADERS: dict[str, tuple[dict[Any, Any], bool]] = {
    "content type alone": ({16: None}, True),
    "typ alone": ({3: None}, True),
    "an unknown header": ({-70001: "x", "text": [1, {"a": b"x"}]}, True),
    "claims that agree": ({15: {6: 1, 4: 1 << 40, 99: "x"}}, True),
    "neither type": ({3: None, 16: "x"}, False),
    "content type of a presentation": ({3: "application/vp"}, False),
    "content type of something else": ({3: "application/json"}, False),
    "content type as a number": ({3: 50}, False),
    "typ of a presentation": ({16: "application/vp+cose"}, False),
    "typ of something else": ({16: "application/statuslist+cwt"}, False),
    "typ without prefix": ({16: "vc+cose"}, False),
    "typ of a JWT": ({16: "application/vc+jwt"}, False),
    "alg of another key": ({1: -8}, False),
    "alg of an HMAC": ({1: 5}, False),
    "alg as text": ({1: "ES256"}, False),
    "alg true": ({1: True}, False),
    "crit": ({2: [1]}, False),
    "no key id": ({4: None}, False),
    "key id that is no DID": ({4: b"key-1"}, False),
    "key id that is no UTF-8": ({4: b"\xff\xfe"}, False),
    "iss of somebody else": ({15: {1: "did:example:x"}}, False),
    "sub of somebody else": ({15: {2: "did:example:x"}}, False),
    "expired claims": ({15: {4: 1}}, False),
    "claims of the future": ({15: {5: 1 << 40}}, False),
    "claims that are no dates": ({15: {4: "soon"}}, False),
    "claims that are no map": ({15: [1]}, False),
}


@pytest.mark.parametrize("name", COSE_HEADERS)
def test_cose_headers(suite: Suite, name: str):
    protected, is_verified = COSE_HEADERS[name]
    payload = canonical_json(suite.credential("enveloped-cose"))

    envelope = suite.cose_envelope(payload, protected=protected)

    assert suite.verify(envelope).is_verified is is_verified


def test_cose_issuer_in_the_claims_and_fully_specified_algorithms(suite: Suite):
    payload = canonical_json(suite.credential("enveloped-cose"))
    named = suite.cose_envelope(payload, protected={15: {1: suite.did("enveloped-cose")}})
    assert suite.verify(named).is_verified
    for instance, algorithms in {
        "enveloped": (-7, -9),
        "enveloped-p384": (-35, -51),
        "enveloped-p521": (-36, -52),
        "enveloped-ed25519": (-8, -19),
    }.items():
        payload = canonical_json(suite.credential(instance))
        for algorithm in (-7, -9, -35, -51, -36, -52, -8, -19, -37, -39, -47, 4):
            envelope = suite.cose_envelope(payload, protected={1: algorithm}, instance=instance)
            assert suite.verify(envelope).is_verified is (algorithm in algorithms)


def recoded(envelope: Any, change: Any) -> Any:
    message = cbor2.loads(b64decode(text_of(envelope))).value
    data = change(list(message))
    text = b64encode(data if isinstance(data, bytes) else cbor2.dumps(data)).decode()
    return changed(envelope, id=f"data:application/vc+cose;base64,{text}")


def _with_header(entries: bytes) -> Any:
    return lambda m: cbor2.CBORTag(18, [entries, *m[1:]])


COSE_FORMS: dict[str, tuple[Any, bool]] = {
    "no tag": (lambda m: m, True),
    "key id in both headers": (lambda m: cbor2.CBORTag(18, [m[0], {4: b"x"}, *m[2:]]), False),
    "a type in the other header": (lambda m: [m[0], {16: "x"}, *m[2:]], False),
    "an unsigned header": (lambda m: [m[0], {33: b"certificate"}, *m[2:]], True),
    "an unsigned algorithm": (lambda m: [b"\xa0", {1: -7}, *m[2:]], False),
    "tag of a COSE_Sign": (lambda m: cbor2.CBORTag(98, m), False),
    "tag of a COSE_Mac0": (lambda m: cbor2.CBORTag(17, m), False),
    "two tags": (lambda m: cbor2.CBORTag(18, cbor2.CBORTag(18, m)), False),
    "a CWT tag": (lambda m: cbor2.CBORTag(61, cbor2.CBORTag(18, m)), False),
    "three elements": (lambda m: m[:3], False),
    "five elements": (lambda m: [*m, b""], False),
    "a map": (lambda m: dict(enumerate(m)), False),
    "a detached payload": (lambda m: [*m[:2], None, m[3]], False),
    "a payload as text": (lambda m: [*m[:2], m[2].decode(), m[3]], False),
    "another payload": (lambda m: [*m[:2], m[2].replace(b"Bachelor", b"Bachelet"), m[3]], False),
    "header as a map": (lambda m: [cbor2.loads(m[0]), *m[1:]], False),
    "header that is an array": (_with_header(b"\x80"), False),
    "header with a label twice": (
        lambda m: [b"\xa5" + m[0][1:] + b"\x01\x26", *m[1:]],
        False,
    ),
    "header of indefinite length": (lambda m: [b"\xbf" + m[0][1:] + b"\xff", *m[1:]], False),
    "array of indefinite length": (
        lambda m: b"\x9f" + b"".join(cbor2.dumps(part) for part in m) + b"\xff",
        False,
    ),
    "payload in chunks": (
        lambda m: (
            b"\x84"
            + cbor2.dumps(m[0])
            + b"\xa0\x5f"
            + cbor2.dumps(m[2])
            + b"\xff"
            + cbor2.dumps(m[3])
        ),
        False,
    ),
    "something after the end": (lambda m: cbor2.dumps(m) + b"\x00", False),
    "cut off": (lambda m: cbor2.dumps(m)[:-1], False),
    "a hundred thousand claimed": (lambda m: b"\x9a\x00\x01\x86\xa0", False),
    "2^63 bytes claimed": (lambda m: b"\x84\x5b\x7f" + b"\xff" * 7, False),
    "nested a thousand deep": (lambda m: b"\x81" * 1000 + b"\x00", False),
}


@pytest.mark.parametrize("name", COSE_FORMS)
def test_cose_form(suite: Suite, name: str):
    change, is_verified = COSE_FORMS[name]
    envelope = suite.issued("enveloped-cose")

    assert suite.verify(recoded(envelope, change)).is_verified is is_verified


def test_cose_is_base64_and_nothing_else(suite: Suite):
    envelope = suite.issued("enveloped-cose")
    data = b64decode(text_of(envelope))
    scheme = "data:application/vc+cose;base64,"
    without = b64encode(data).decode().rstrip("=")
    assert suite.verify(changed(envelope, id=scheme + without)).is_verified
    for bad in (data.hex(), b64encode(data).decode() + "=", "\n" + without, without + "%3D"):
        assert not suite.verify(changed(envelope, id=scheme + bad)).is_verified
    urlsafe = base64url_encode(data)
    if urlsafe != without:
        assert not suite.verify(changed(envelope, id=scheme + urlsafe)).is_verified


@pytest.mark.parametrize("kind", KINDS)
def test_vc_and_vp_claims_are_refused_in_every_form(suite: Suite, kind: str):
    document = suite.credential(kind)
    for member in MEMBERS:
        payload = {**document, member: {"x": 1}}
        bad = {
            "enveloped": lambda p: suite.envelope(p),
            "enveloped-sd-jwt": lambda p: suite.sd_jwt_envelope(p),
            "enveloped-cose": lambda p: suite.cose_envelope(canonical_json(p)),
        }[kind](payload)
        assert not suite.verify(bad).is_verified
    hidden = suite.sd_jwt_envelope(
        {**suite.credential("enveloped-sd-jwt"), "vc": {"x": 1}}, paths=[("vc",)]
    )
    assert not suite.verify(hidden).is_verified


def test_an_iss_other_than_the_issuer_is_refused(suite: Suite):
    for kind, make in (("enveloped", suite.envelope), ("enveloped-sd-jwt", suite.sd_jwt_envelope)):
        document = suite.credential(kind)
        held = suite.credential(kind, issuer={"id": suite.did(kind), "name": "N"})
        for one in (document, held):
            assert suite.verify(make({**one, "iss": suite.did(kind)})).is_verified
            assert not suite.verify(make({**one, "iss": "did:example:x"})).is_verified
            assert not suite.verify(make({**one, "iss": suite.did("status")})).is_verified
            assert not suite.verify(make({**one, "iss": 7})).is_verified
    signed_elsewhere = suite.envelope(suite.credential("status"))
    assert not suite.verify(signed_elsewhere).is_verified
    assert suite.verify(signed_elsewhere, "proof-only").is_verified


def test_iat_may_be_a_date_and_time_as_widely_used_signers_write_it(suite: Suite):
    document = suite.credential("enveloped")
    assert suite.verify(suite.envelope({**document, "iat": "2010-01-01T19:23:24Z"})).is_verified
    assert suite.verify(suite.envelope({**document, "iat": 1.5})).is_verified
    for bad in ("yesterday", [1], -1, True, "2999-01-01T00:00:00Z"):
        assert not suite.verify(suite.envelope({**document, "iat": bad})).is_verified


def test_sd_jwt_nothing_that_verifiers_need_may_be_kept_back(suite: Suite):
    document = suite.credential("enveloped-sd-jwt", validUntil="2999-01-01T00:00:00Z")
    assert suite.verify(suite.sd_jwt_envelope(document, paths=[("id",)])).is_verified
    for name in ("@context", "issuer", "validFrom", "validUntil"):
        assert not suite.verify(suite.sd_jwt_envelope(document, paths=[(name,)])).is_verified
    status = suite.issued("status")["credentialStatus"]
    document["credentialStatus"] = status
    bad = suite.sd_jwt_envelope(document, paths=[("credentialStatus",)])
    assert not suite.verify(bad, "proof-only").is_verified


def test_sd_jwt_foreign_repeated_and_changed_disclosures_are_refused(suite: Suite):
    document = suite.credential("enveloped-sd-jwt", credentialSubject=SUBJECT)
    text = text_of(suite.issue(document, "enveloped-sd-jwt").credential)
    other = text_of(suite.issue(document, "enveloped-sd-jwt").credential)
    jwt, first, second, _ = text.split("~")
    foreign = other.split("~")[1]
    forged = base64url_encode(canonical_json(["salt", "name", "Eve"]))
    assert suite.verify(envelope_of("application/vc+sd-jwt", text)).is_verified
    for parts in (
        (jwt, first, second, foreign, ""),
        (jwt, first, first, ""),
        (jwt, forged, ""),
        (jwt, first, second),
        (jwt, first, "", second, ""),
        (jwt,),
    ):
        bad = envelope_of("application/vc+sd-jwt", "~".join(parts))
        assert not suite.verify(bad).is_verified


def test_sd_jwt_a_key_binding_must_hold_and_be_for_us(suite: Suite):
    holder = suite.signer("ecdsa-rdfc-2019-p256")
    document = suite.credential("enveloped-sd-jwt", credentialSubject=SUBJECT)
    bound = {**document, "cnf": {"jwk": holder.key.jwk}}
    text = text_of(suite.sd_jwt_envelope(bound, paths=[("credentialSubject", "name")]))
    now = int(datetime.now(UTC).timestamp())

    def with_binding(signer: Any, base: str = text, **options: Any) -> Any:
        named = {"audience": "https://bar.example", "nonce": "n-1", "issued_at": now, **options}
        shown = add_key_binding(base, signer=signer, **named)
        return envelope_of("application/vc+sd-jwt", shown)

    asked = {"domain": "https://bar.example", "challenge": "n-1"}
    good = with_binding(holder)
    assert suite.verify(good).is_verified
    assert suite.verify(good, options=asked).is_verified
    assert not suite.verify(good, options={**asked, "challenge": "n-2"}).is_verified
    assert not suite.verify(good, options={**asked, "domain": "https://b.example"}).is_verified
    unbound = text_of(suite.sd_jwt_envelope(document, paths=[("credentialSubject", "name")]))
    for bad in (
        with_binding(suite.signer("enveloped")),
        with_binding(holder, base=unbound),
        with_binding(holder, issued_at=now + 600),
        changed(good, id=good["id"].replace(text, present(text, []))),
    ):
        assert not suite.verify(bad).is_verified
    # A nonce that nobody signed is no nonce.
    assert not suite.verify(envelope_of("application/vc+sd-jwt", text), options=asked).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("kind", KINDS)
def test_presentations_in_every_form_with_credentials_in_every_form(
    suite: Suite, kind: str, party: str
):
    credentials = [suite.issued(name) for name in (*KINDS, "enveloped-p521")]
    holder = suite.did("enveloped" if kind == "enveloped" else kind)
    document = suite.presentation(*credentials, holder=holder)

    assert suite.verify_presentation(presented(suite, kind, document), party).is_verified
    single = suite.presentation(verifiableCredential=credentials[0])
    assert suite.verify_presentation(presented(suite, kind, single), party).is_verified


@pytest.mark.parametrize("kind", KINDS)
def test_presentations_whose_credentials_are_not_enveloped_are_refused(suite: Suite, kind: str):
    enveloped, embedded = suite.issued(kind), suite.issued()
    for credentials in (
        [embedded],
        [enveloped, embedded],
        [suite.credential(kind)],
        [changed(enveloped, type="VerifiableCredential")],
        [text_of(enveloped)],
        [{}],
    ):
        document = suite.presentation(*credentials)
        assert not suite.verify_presentation(presented(suite, kind, document)).is_verified
    # In a presentation with an embedded proof, or none, either kind may stand.
    mixed = suite.presentation(enveloped, embedded)
    assert suite.verify_presentation(mixed).is_verified


@pytest.mark.parametrize("kind", KINDS)
def test_presentations_of_another_holder_type_or_with_a_bad_credential_are_refused(
    suite: Suite, kind: str
):
    credential = suite.issued(kind)
    document = suite.presentation(credential)
    good = presented(suite, kind, document)
    assert suite.verify_presentation(good).is_verified
    stranger = {**document, "holder": "did:example:x"}
    tampered = copy.deepcopy(document)
    tampered["verifiableCredential"][0]["id"] = credential["id"][:-8] + "AAAAAAAA"
    revoked_type = {**document, "type": ["VerifiableCredential"]}
    lost = {**document, "undefinedTerm": "x", "@context": ["https://www.w3.org/ns/credentials/v2"]}
    for bad in (stranger, tampered, revoked_type, lost):
        assert not suite.verify_presentation(presented(suite, kind, bad)).is_verified
    as_credential = changed(good, type="EnvelopedVerifiableCredential")
    assert not suite.verify(as_credential).is_verified
    assert not suite.verify_presentation(credential).is_verified
    assert not suite.verify(good).is_verified


def test_sd_jwt_presentations_may_keep_credentials_back(suite: Suite):
    credentials = [suite.issued("enveloped"), suite.issued("enveloped-cose")]
    document = suite.presentation(*credentials)
    whole = suite.sd_jwt_envelope(
        document, member="vp", paths=[("verifiableCredential", 0), ("verifiableCredential", 1)]
    )
    assert suite.verify_presentation(whole).is_verified

    one = present(text_of(whole), [("verifiableCredential", 1)])

    assert suite.verify_presentation(envelope_of("application/vp+sd-jwt", one, "vp")).is_verified
