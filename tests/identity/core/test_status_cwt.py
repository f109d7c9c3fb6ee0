"""Token Status List in CWT form: the draft's examples, signatures too, and what is refused."""

import re
from pathlib import Path

import cbor2
import pytest

from identity.core.cose import TYP, CoseMalformed, CoseNotAccepted, parse_sign1, sign_sign1
from identity.core.status_list import StatusListExpired, StatusListMalformed, read_token_status
from identity.core.status_list.cwt import (
    STATUS_CWT_TYP,
    parse_cwt_reference,
    read_cwt_list,
    sign_status_cwt,
    verify_status_cwt,
)
from identity.core.strict_cbor import parse_cbor
from registry.core.encoding import base64url_decode
from registry.core.keys import KeyType, SignatureNotValid, parse_jwk, verify_signature
from registry.core.refusals import Refusal
from tests.identity.core.signers import signer
from tests.vectors import vectors_dir

FOLDER = vectors_dir() / "token-status-list/examples"
# The key of the draft's examples, whose kid is 12; it verifies three of them below.
PUBLISHED = parse_jwk(
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo",
        "y": "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M",
    }
)
URI = "https://example.com/statuslists/1"
NOW = 1_686_920_171
STATUSES = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
KEY = signer(KeyType.P256)


def example(name: str) -> bytes:
    return bytes.fromhex(re.sub(r"\s", "", (FOLDER / f"{name}.md").read_text("utf-8")))


def diagnosed(name: str) -> bytes:
    """The bytes of an example in diagnostic form: hexadecimal before each comment."""
    lines = (FOLDER / f"{name}.md").read_text("utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


@pytest.mark.parametrize("name", ["status_list_cwt", "referenced_token_cwt"])
def test_the_diagnostic_forms_are_the_same_bytes(name):
    assert diagnosed(f"{name}_diag") == example(name)


@pytest.mark.parametrize(
    ("name", "bits", "statuses"),
    [
        ("status_list_encoding_cbor", 1, STATUSES),
        ("status_list_encoding2_cbor", 2, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]),
    ],
)
def test_published_lists_with_their_diagnostic_forms(name, bits, statuses):
    text = (FOLDER / f"{name}.md").read_text("utf-8").split("encoded:")[-1]
    encoded = bytes.fromhex(re.sub(r"\s", "", text))
    assert diagnosed(f"{name}_diag") == encoded
    content = parse_cbor(encoded)

    data = read_cwt_list(content)

    assert content["bits"] == bits
    assert [read_token_status(data, n, bits=bits) for n in range(len(statuses))] == statuses


def test_the_published_status_list_token_verifies():
    read = verify_status_cwt(example("status_list_cwt"), key=PUBLISHED, uri=URI, now=NOW)

    assert (read.bits, read.ttl_seconds) == (1, 43_200)
    assert (read.issued_at, read.expires_at) == (1_686_920_170, 2_291_720_170)
    assert [read_token_status(read.data, n, bits=1) for n in range(16)] == STATUSES


def test_the_published_referenced_token_verifies_and_names_its_status():
    message = parse_sign1(example("referenced_token_cwt"))
    to_be_signed = cbor2.dumps(["Signature1", message.signed_header, b"", message.payload])

    verify_signature(PUBLISHED, message=to_be_signed, signature=message.signature)
    reference = parse_cwt_reference(message.payload)

    assert reference is not None
    assert (reference.uri, reference.index) == (URI, 0)


def test_the_published_jwt_verifies_under_the_same_key():
    text = re.sub(r"\s", "", (FOLDER / "status_list_jwt_raw.md").read_text("utf-8"))
    signed, _, signature = text.rstrip("=").rpartition(".")

    verify_signature(PUBLISHED, message=signed.encode(), signature=base64url_decode(signature))


def made(**changed) -> bytes:
    given = {
        "uri": URI,
        "data": bytes([0b10111001, 0b10100011]),
        "bits": 1,
        "issued_at": NOW,
        "expires_at": NOW + 100,
        "ttl_seconds": 50,
        "signer": KEY,
    }
    return sign_status_cwt(**{**given, **changed})


def check(message: bytes, **changed):
    given = {"key": KEY.key, "uri": URI, "now": NOW}
    return verify_status_cwt(message, **{**given, **changed})


def test_there_and_back():
    read = check(made())

    assert [read_token_status(read.data, n, bits=1) for n in range(16)] == STATUSES


def test_what_is_refused():
    for changed, refusal in (
        ({"key": PUBLISHED}, SignatureNotValid),
        ({"key": signer().key}, CoseNotAccepted),
        ({"uri": "https://example.com/statuslists/2"}, StatusListMalformed),
        ({"now": NOW + 100}, StatusListExpired),
        ({"now": NOW - 10_000}, StatusListExpired),
    ):
        with pytest.raises(refusal):
            check(made(), **changed)
    with pytest.raises(StatusListMalformed):
        check(made(bits=3))
    with pytest.raises(CoseMalformed):
        check(b"\xd2\x80")


def signed(claims, typ=STATUS_CWT_TYP) -> bytes:
    return sign_sign1(protected={TYP: typ}, payload=cbor2.dumps(claims), signer=KEY)


LIST = {"bits": 1, "lst": bytes.fromhex("78dadbb918000217015d")}
CLAIMS = {2: URI, 6: NOW, 4: NOW + 9, 65533: LIST}


def test_a_token_of_another_type_is_none():
    check(signed(CLAIMS))
    for typ in ("application/vc+cose", "statuslist+jwt", "application/statuslist+jwt", ""):
        with pytest.raises(CoseNotAccepted):
            check(signed(CLAIMS, typ))


@pytest.mark.parametrize(
    "claims",
    [
        [],
        "text",
        {},
        {**CLAIMS, 2: 7},
        {**CLAIMS, 6: "soon"},
        {**CLAIMS, 6: True},
        {**CLAIMS, 4: 1.5},
        {**CLAIMS, 65533: []},
        {**CLAIMS, 65533: {"bits": 1}},
        {**CLAIMS, 65533: {**LIST, "bits": True}},
        {**CLAIMS, 65533: {**LIST, "lst": "eNrbuRgAAhcBXQ"}},
        {**CLAIMS, 65533: {**LIST, "lst": b"x\xda"}},
        {**CLAIMS, 65533: {**LIST, "lst": LIST["lst"] + b"more"}},
        {**CLAIMS, 65534: 0},
        {name: value for name, value in CLAIMS.items() if name != 6},
        {"sub": URI, "iat": NOW, "status_list": LIST},
        {**CLAIMS, 7: cbor2.CBORTag(1, NOW)},
        {**CLAIMS, 7: list(range(300))},
    ],
)
def test_claims_that_are_none(claims):
    with pytest.raises(StatusListMalformed):
        check(signed(claims))


@pytest.mark.parametrize(
    "status",
    [7, {}, {"status_list": 7}, {"status_list": {"idx": -1, "uri": URI}}]
    + [{"status_list": {"idx": index, "uri": URI}} for index in ("0", True, None, 1.0)]
    + [{"status_list": {"idx": 0, "uri": uri}} for uri in (None, 7, "", "relative", b"https:x")],
)
def test_references_that_are_none(status):
    assert parse_cwt_reference(cbor2.dumps({2: "x"})) is None
    with pytest.raises(StatusListMalformed):
        parse_cwt_reference(cbor2.dumps({65535: status}))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xa1", b"\xa1\x01", bytes(10), b"\xa0\xa0"])
def test_only_our_refusals_leave_the_parsers(data):
    for read in (parse_cwt_reference, check):
        with pytest.raises(Refusal):
            read(data)


def test_every_example_of_the_draft_is_read():
    """Here: those in CBOR and the signatures. `test_status_list.py` reads the lists in JSON."""
    files: list[Path] = sorted(FOLDER.iterdir())

    assert len(files) == 20
