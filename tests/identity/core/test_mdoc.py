"""Mobile documents: made, shown, and every way in which they may be wrong."""

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.core import mdoc
from identity.core.mdoc.format import embed, parse_device_response, parse_issuer_signed
from registry.core.keys import SignatureNotValid
from registry.core.refusals import Malformed, Refusal
from tests.identity.verifier.stage import Randomness, certify, holder_signer

DOCTYPE = "cairn.resident-identity.1"
CLAIMS = {"family_name": "Kestrel", "age_over_18": True, "age_over_21": True}
HANDOVER = mdoc.Handover(
    client_id="x509_hash:abc", nonce="n-0S6", response_uri="https://v.example/r", key_thumbprint=b""
)
ISSUER = holder_signer("agency")
HOLDER = holder_signer("alice")


def issued_mdoc(**changes: object) -> bytes:
    arguments = {
        "doctype": DOCTYPE,
        "claims": CLAIMS,
        "device_key": HOLDER.key,
        "issued_at": 1_790_000_000,
        "expires_at": 1_790_086_400,
        "status": {"status_list": {"idx": 7, "uri": "https://a.example/s"}},
        "anchor": {"salt": "a", "batch": "b", "network": "c"},
        "random": Randomness(),
        **changes,
    }
    draft = mdoc.draft_mdoc(**arguments)
    return mdoc.sign_mdoc(draft, signer=ISSUER, chain=[certify(ISSUER.key, common_name="A")])


def _shown(issued: bytes | None = None, **changes: object) -> bytes:
    arguments = {"elements": ["age_over_18"], "holder": HOLDER, "handover": HANDOVER, **changes}
    return mdoc.present_mdoc(issued or issued_mdoc(), **arguments)


def test_what_is_shown_verifies_and_nothing_else_is_shown():
    document = parse_device_response(_shown())

    mdoc.verify_issuer_signed(document.issuer_signed, key=ISSUER.key)
    mdoc.verify_device_signed(document, handover=HANDOVER)

    (element,) = document.issuer_signed.elements
    assert (element.name_space, element.name, element.value) == (DOCTYPE, "age_over_18", True)
    signed = document.issuer_signed.security_object
    assert len(signed.digests) == 3
    assert signed.content["status"]["status_list"]["idx"] == 7
    assert signed.content["validityInfo"]["signed"] == "2026-09-21T14:13:20Z"
    assert document.issuer_signed.key_id == ISSUER.verification_method


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "x509_hash:other"},
        {"nonce": "another"},
        {"response_uri": "https://else.example/r"},
        {"key_thumbprint": bytes(32)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_device_signs_for_one_request_alone(changes):
    document = parse_device_response(_shown())
    other = mdoc.Handover(
        **{
            "client_id": HANDOVER.client_id,
            "nonce": HANDOVER.nonce,
            "response_uri": HANDOVER.response_uri,
            "key_thumbprint": b"",
            **changes,
        }
    )

    with pytest.raises(SignatureNotValid):
        mdoc.verify_device_signed(document, handover=other)


def test_another_holder_cannot_show_it():
    document = parse_device_response(_shown(holder=holder_signer("mallory")))

    with pytest.raises(SignatureNotValid):
        mdoc.verify_device_signed(document, handover=HANDOVER)


def _changed(change) -> parse_issuer_signed:
    held = cbor2.loads(issued_mdoc())
    held = {"nameSpaces": dict(held["nameSpaces"]), "issuerAuth": list(held["issuerAuth"])}
    change(held)
    return parse_issuer_signed(cbor2.dumps(held))


def _item(**changes: object) -> cbor2.CBORTag:
    members = {
        "digestID": 1,
        "random": bytes(32),
        "elementIdentifier": "age_over_18",
        "elementValue": True,
        **changes,
    }
    return embed(members)


def _replace(**changes):
    def change(held):
        held["nameSpaces"] = {DOCTYPE: [_item(**changes)]}

    return change


def _twice(held):
    items = held["nameSpaces"][DOCTYPE]
    held["nameSpaces"] = {DOCTYPE: [*items, items[0]]}


def _moved(held):
    held["nameSpaces"] = {"org.iso.18013.5.1": held["nameSpaces"][DOCTYPE]}


@pytest.mark.parametrize(
    "change",
    [
        _replace(),
        _replace(elementValue=False),
        _replace(digestID=99, elementIdentifier="is_king"),
        _twice,
        _moved,
    ],
    ids=["other-salt", "other-value", "no-digest", "twice", "other-name-space"],
)
def test_an_element_that_the_issuer_did_not_sign_is_refused(change):
    unverified = _changed(change)

    with pytest.raises(mdoc.MdocNotAccepted):
        mdoc.verify_issuer_signed(unverified, key=ISSUER.key)


def test_another_issuers_key_or_certificate_is_refused():
    unverified = parse_issuer_signed(issued_mdoc())
    other = certify(holder_signer("mallory").key, common_name="M")

    with pytest.raises(Refusal):
        mdoc.verify_issuer_signed(unverified, key=holder_signer("mallory").key)
    swapped = _changed(lambda held: held["issuerAuth"].__setitem__(1, {33: other}))
    with pytest.raises(mdoc.MdocNotAccepted):
        mdoc.verify_issuer_signed(swapped, key=ISSUER.key)


def test_a_changed_security_object_is_refused():
    def later(held):
        payload = cbor2.loads(held["issuerAuth"][2]).value
        changed = payload.replace(b"2026-09-22", b"2036-09-22")
        assert changed != payload
        held["issuerAuth"][2] = cbor2.dumps(embed(changed))

    with pytest.raises(SignatureNotValid):
        mdoc.verify_issuer_signed(_changed(later), key=ISSUER.key)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_escapes(data: bytes):
    for parse in (parse_issuer_signed, parse_device_response):
        with pytest.raises(Malformed):
            parse(data)


def test_every_flipped_byte_is_refused():
    whole = _shown()
    document = parse_device_response(whole)
    mdoc.verify_issuer_signed(document.issuer_signed, key=ISSUER.key)
    accepted = []
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        try:
            found = parse_device_response(bytes(flipped))
            mdoc.verify_issuer_signed(found.issuer_signed, key=ISSUER.key)
            mdoc.verify_device_signed(found, handover=HANDOVER)
        except Refusal:
            continue
        accepted.append(place)
    # What is left is unsigned: the key id, and the certificate beyond its key. The ledger judges.
    unsigned = (document.issuer_signed.key_id.encode(), document.issuer_signed.chain[0])
    spans = [(whole.index(part) - 4, whole.index(part) + len(part)) for part in unsigned]
    assert all(any(low <= place < high for low, high in spans) for place in accepted)
    assert len(accepted) < len(whole) // 2


def test_a_portrait_is_bounded():
    big = parse_issuer_signed(issued_mdoc(claims={"portrait": bytes(100_000)}))

    assert len(big.elements[0].value) > 100_000
    with pytest.raises(mdoc.MdocMalformed):
        parse_issuer_signed(issued_mdoc(claims={"portrait": bytes(300_000)}))
