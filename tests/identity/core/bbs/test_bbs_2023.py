"""bbs-2023 on documents of our own: parts, forgeries, and that nobody can link two of them."""

import copy
import secrets

import cbor2
import pytest

from identity.adapters.bbs_keys import bbs_key_from_seed
from identity.core.bbs import blind
from identity.core.bbs.curve import BbsMalformed, BbsNotValid, scalar
from identity.core.bbs.interface import MAX_MESSAGES
from identity.core.data_integrity import (
    ProofMalformed,
    ProofNotValid,
    add_bbs_base_proof,
    add_proof,
    derive_proof,
    verify_proofs,
)
from identity.core.data_integrity.bbs_2023 import (
    HolderCommitment,
    HolderPart,
    verify_with_pseudonym,
)
from identity.core.data_integrity.bbs_values import (
    MAX_PRESENTATION_HEADER_BYTES,
    parse_bbs_base_proof,
    parse_bbs_derived_proof,
)
from identity.core.data_integrity.selection import PointerLeadsNowhere
from registry.core.encoding import base64url_decode, base64url_encode, canonical_json
from registry.core.keys import KeyNotAdmitted
from registry.core.refusals import Refusal
from tests.identity.core.bbs.bbs_resolving import NOW, verify
from tests.identity.core.contexts import bundled
from tests.identity.core.selective import CHANGES, PARTS, check_part
from tests.identity.core.signers import resolve_did_key, signer

KEY = bbs_key_from_seed(b"the seed of an issuer of tests..")
DOCUMENT = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "RegattaCredential"],
    "issuer": "https://vc.example/issuers/5678",
    "credentialSubject": {
        "sailNumber": "Earth101",
        "sails": [
            {"size": 5.5, "sailName": "Kihei", "year": 2023},
            {"size": 6.1, "sailName": "Lahaina", "year": 2023},
            {"size": 6.1, "sailName": "Lahaina", "year": 2023},
        ],
        "notes": [{"a/b": "slash", "c~d": "tilde"}],
    },
}


def base(mandatory=("/issuer",), document=DOCUMENT, holder=None, key=KEY):
    return add_bbs_base_proof(
        document,
        signer=key,
        created=NOW,
        purpose="assertionMethod",
        contexts=bundled(),
        random=secrets.token_bytes,
        mandatory_pointers=mandatory,
        holder=holder,
    )


BASE = base()


def derive(pointers, secured=BASE, holder=None, random=secrets.token_bytes):
    return derive_proof(
        secured, selective_pointers=pointers, contexts=bundled(), random=random, holder=holder
    )


@pytest.mark.parametrize("pointers", PARTS)
def test_a_part_verifies(pointers):
    derived = derive(pointers)

    verify(derived)
    check_part(derived, pointers, DOCUMENT)


def test_nothing_may_be_mandatory_as_long_as_something_is_shown():
    verify(derive(["/issuer"], base(mandatory=[])))

    with pytest.raises(ProofMalformed):
        derive([], base(mandatory=[]))


@pytest.mark.parametrize("pointer", ["/nope", "/credentialSubject/sails/3", "issuer", None])
def test_pointers_that_name_nothing_are_refused(pointer):
    with pytest.raises(PointerLeadsNowhere):
        base(mandatory=[pointer])
    with pytest.raises(PointerLeadsNowhere):
        derive([pointer])


@pytest.mark.parametrize(
    "change",
    [
        *CHANGES,
        lambda d: d["proof"].update(
            verificationMethod=bbs_key_from_seed(bytes(32)).verification_method
        ),
    ],
)
def test_any_change_to_the_part_is_noticed(change):
    derived = copy.deepcopy(derive(["/credentialSubject/sailNumber"]))
    verify(derived)
    change(derived)

    with pytest.raises((BbsNotValid, BbsMalformed, ProofNotValid)):
        verify(derived)


def parts_of(derived) -> list:
    return cbor2.loads(base64url_decode(derived["proof"]["proofValue"][1:])[3:])


def rebuilt(derived, position, change, header=b"\xd9\x5d\x03"):
    parts = parts_of(derived)
    parts[position] = change(parts[position])
    return with_parts(derived, parts, header)


def with_parts(derived, parts, header):
    changed = copy.deepcopy(derived)
    changed["proof"]["proofValue"] = "u" + base64url_encode(header + cbor2.dumps(parts))
    return changed


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (0, lambda proof: proof[:-1]),
        (0, lambda proof: proof[:-32]),
        (0, lambda proof: proof + bytes(31) + b"\1"),
        (0, lambda proof: b"\xc0" + bytes(47) + proof[48:]),
        (0, lambda proof: proof[:-32] + bytes(32)),
        (0, lambda proof: proof.hex()),
        (0, lambda _: b""),
        (0, lambda proof: proof + b"\1" * 32 * 2_000),
        (1, lambda labels: dict(list(labels.items())[1:])),
        (1, lambda labels: {**labels, 99: 98}),
        (1, lambda labels: dict.fromkeys(labels, 1)),
        (1, lambda labels: {number: f"b{label}" for number, label in labels.items()}),
        (1, lambda labels: {str(number): label for number, label in labels.items()}),
        (1, lambda labels: {number: label + 1 for number, label in labels.items()}),
        (1, lambda _: []),
        (2, lambda indexes: [*indexes, 10_000]),
        (2, lambda indexes: [*indexes, indexes[0]]),
        (2, lambda indexes: [-1, *indexes]),
        (2, lambda indexes: [True, *indexes]),
        (2, lambda indexes: indexes[1:]),
        (2, lambda _: {}),
        (3, lambda indexes: [index + 1 for index in indexes]),
        (3, lambda indexes: indexes[1:]),
        (3, lambda indexes: indexes[::-1]),
        (3, lambda indexes: [*indexes, 1 << 19]),
        (3, lambda indexes: [*indexes, indexes[-1]]),
        (3, lambda indexes: [str(index) for index in indexes]),
        (3, lambda _: None),
        (4, lambda _: b"another verifier's"),
        (4, lambda _: "text"),
        (4, lambda _: bytes(MAX_PRESENTATION_HEADER_BYTES + 1)),
    ],
)
def test_derived_proofs_that_are_refused(position, change):
    derived = derive(["/credentialSubject/sails/1"])
    verify(rebuilt(derived, 0, lambda proof: proof))

    with pytest.raises(Refusal):
        verify(rebuilt(derived, position, change))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "u",
        "z" + "1" * 40,
        "u!",
        *(
            "u" + base64url_encode(bytes([0xD9, 0x5D, last]) + rest)
            for last in range(10)
            for rest in (
                b"",
                b"\x80",
                b"\xff",
                b"\x81" * 5_000 + b"\x01",
                b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
                *(cbor2.dumps(list(range(count))) for count in (5, 6, 7)),
            )
        ),
        "u" + "A" * (600 << 10),
    ],
)
def test_proof_values_that_are_none(value):
    derived = derive([])
    derived["proof"]["proofValue"] = value

    with pytest.raises(ProofMalformed):
        verify(derived)
    with pytest.raises(ProofMalformed):
        derive([], derived)


def test_something_after_the_cbor_is_refused():
    derived = derive([])
    data = base64url_decode(derived["proof"]["proofValue"][1:])
    derived["proof"]["proofValue"] = "u" + base64url_encode(data + b"\0")

    with pytest.raises(ProofMalformed):
        verify(derived)


def test_a_base_proof_is_not_accepted_by_a_verifier():
    with pytest.raises(ProofMalformed):
        verify(BASE)
    with pytest.raises(ProofMalformed):  # not under the first bytes of a derived one either
        verify(with_parts(BASE, parts_of(BASE), b"\xd9\x5d\x03"))


def test_only_a_base_proof_can_be_derived_from():
    with pytest.raises(ProofMalformed):
        derive([], derive(["/credentialSubject"]))
    with pytest.raises(ProofMalformed):
        derive([], DOCUMENT)
    with pytest.raises(ProofMalformed):
        derive([], {**BASE, "proof": [BASE["proof"], BASE["proof"]]})
    verify(derive([], {**BASE, "proof": [BASE["proof"]]}))


def test_what_does_not_verify_is_not_derived_from():
    changed = copy.deepcopy(BASE)
    changed["credentialSubject"]["sailNumber"] = "Mars1"
    with pytest.raises(ProofMalformed):
        derive(["/credentialSubject/sailNumber"], changed)
    mandatory = {**BASE, "issuer": "https://vc.example/issuers/1"}
    with pytest.raises(ProofMalformed):
        derive(["/credentialSubject"], mandatory)
    for position, change in (
        (0, lambda signature: signature[:-1]),
        (0, lambda _: bytes(80)),
        (1, lambda header: header[:-1]),
        (1, lambda header: bytes(64)),
        (2, lambda key: key[:-1]),
        (2, lambda key: bytes(96)),
        (2, lambda key: bbs_key_from_seed(bytes(32)).key.data),
        (3, lambda hmac_key: hmac_key[:-1]),
        (3, lambda hmac_key: bytes(32)),
        (4, lambda pointers: [7]),
        (4, lambda pointers: ["/nothing"]),
        (4, lambda pointers: ["/type"]),
        (4, lambda pointers: None),
    ):
        with pytest.raises(Refusal):
            derive(["/credentialSubject"], rebuilt(BASE, position, change, b"\xd9\x5d\x02"))


def test_a_proof_is_bound_to_what_the_holder_says():
    holder = HolderPart(presentation_header=b"nonce of a verifier")
    derived = derive(["/credentialSubject"], holder=holder)

    verify(derived)
    value = parse_bbs_derived_proof(derived["proof"]["proofValue"])
    assert value.presentation_header == b"nonce of a verifier"


def test_too_many_statements_are_refused_before_anything_is_signed():
    many = {**DOCUMENT, "credentialSubject": {"sails": [str(n) for n in range(MAX_MESSAGES + 1)]}}

    with pytest.raises(Refusal):
        base(document=many)


def test_the_time_in_the_proof_tells_no_more_than_the_day():
    assert BASE["proof"]["created"] == "2026-05-01T00:00:00Z"


# Which keys, which suites


def test_keys_of_other_kinds_and_other_suites_do_not_meet():
    derived = derive(["/credentialSubject"])
    with pytest.raises(ProofNotValid):  # a verifier who takes no BBS proofs
        verify_proofs(
            derived,
            purpose="assertionMethod",
            resolve_key=resolve_did_key,
            contexts=bundled(),
            now=NOW,
            domain=None,
            challenge=None,
        )
    for cryptosuite in ("eddsa-rdfc-2022", "ecdsa-rdfc-2019", "ecdsa-sd-2023", "eddsa-jcs-2022"):
        other = copy.deepcopy(derived)
        other["proof"]["cryptosuite"] = cryptosuite
        with pytest.raises(KeyNotAdmitted):
            verify(other)
    stranger = copy.deepcopy(derived)
    stranger["proof"]["verificationMethod"] = signer().verification_method
    with pytest.raises(KeyNotAdmitted):
        verify(stranger)
    with pytest.raises(ProofMalformed):
        add_proof(
            DOCUMENT,
            signer=signer(),
            cryptosuite="bbs-2023",
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
        )


# Nobody can link


def runs(text: str, size: int) -> set[str]:
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def test_two_derived_credentials_share_nothing_but_what_is_disclosed():
    """Six bytes in common would happen by chance in one of 100,000,000 pairs."""
    pointers = ["/credentialSubject/sails/1"]
    first, second = derive(pointers), derive(pointers)

    assert {**first, "proof": None} == {**second, "proof": None}
    for name, value in first["proof"].items():
        if name != "proofValue":  # the same for every credential of that day
            assert second["proof"][name] == value
    one, other = parts_of(first), parts_of(second)
    assert one[1:] == other[1:]  # which statements are shown, and how they are labelled
    assert not runs(one[0].hex(), 12) & runs(other[0].hex(), 12)
    secret = parts_of(BASE)
    for part in (secret[0], secret[3]):  # signature and HMAC key never leave the holder
        assert not runs(part.hex(), 12) & runs(one[0].hex(), 12)
        assert base64url_encode(part)[4:-4] not in canonical_json(first).decode()


def test_the_same_disclosure_of_two_credentials_looks_alike():
    """What a verifier sees of two people who disclose the same differs in the BBS proof alone."""
    two = [
        base(
            document={**DOCUMENT, "credentialSubject": {**DOCUMENT["credentialSubject"], **hidden}}
        )
        for hidden in ({"sailNumber": "Earth101"}, {"sailNumber": "Venus7"})
    ]
    pointers = ["/credentialSubject/notes"]
    shown = [derive(pointers, credential) for credential in two]

    assert {**shown[0], "proof": None} == {**shown[1], "proof": None}
    assert len(parts_of(shown[0])[0]) == len(parts_of(shown[1])[0])
    for derived in shown:
        verify(derived)


def test_labels_are_small_numbers_and_in_no_order():
    """An HMAC in the label would name the credential (VC DI BBS §3.2.2)."""
    orders = {
        tuple(parts_of(derive(["/credentialSubject"], base()))[1].values()) for _ in range(12)
    }

    assert len(orders) > 1
    assert all(label < 10 for order in orders for label in order)


# Holder binding and pseudonyms

NYM, ENTROPY = scalar(77), scalar(99)


def bound(committed=(b"a secret of the holder",), nym=None, entropy=None):
    commitment, hidden_by = blind.commit(committed, prover_nym=nym, random=secrets.token_bytes)
    secured = base(holder=HolderCommitment(commitment=commitment, signer_nym=entropy))
    part = HolderPart(
        presentation_header=b"nonce",
        committed=tuple(committed),
        blind=hidden_by,
        prover_nym=nym,
        context_id=None if nym is None else b"https://verifier.example",
    )
    return secured, part


def test_a_credential_bound_to_a_secret_is_shown_by_nobody_else():
    secured, part = bound()
    verify(derive(["/credentialSubject"], secured, part))

    with pytest.raises(ProofMalformed):
        derive(["/credentialSubject"], secured)
    with pytest.raises(ProofMalformed):
        derive(
            ["/credentialSubject"],
            secured,
            HolderPart(committed=(b"guessed",), blind=part.blind),
        )


def test_a_pseudonym_is_checked_against_who_asks():
    secured, part = bound(nym=NYM, entropy=ENTROPY)
    assert parse_bbs_base_proof(secured["proof"]["proofValue"]).signer_nym == int(ENTROPY)
    derived = derive(["/credentialSubject"], secured, part)
    with pytest.raises(ProofNotValid):  # nobody here says who asks
        verify(derived)
    proof = derived.pop("proof")

    def check(document, context=b"https://verifier.example"):
        return verify_with_pseudonym(
            document, proof, key=KEY.key, context_id=context, contexts=bundled()
        )

    assert check(derived) == blind.pseudonym_for(b"https://verifier.example", NYM + ENTROPY)
    with pytest.raises(BbsNotValid):
        check(derived, b"https://another.example")
    with pytest.raises(BbsNotValid):
        check({**derived, "issuer": "https://vc.example/issuers/1"})
    with pytest.raises(BbsMalformed):
        check(derived, b"")
    baseline = derive(["/credentialSubject"])
    with pytest.raises(ProofNotValid):
        verify_with_pseudonym(
            baseline,
            baseline["proof"],
            key=KEY.key,
            context_id=b"https://verifier.example",
            contexts=bundled(),
        )


@pytest.mark.parametrize("missing", ["prover_nym", "context_id", "blind"])
def test_a_pseudonym_needs_everything_it_is_made_of(missing):
    secured, part = bound(nym=NYM, entropy=ENTROPY)
    given = {name: getattr(part, name) for name in ("prover_nym", "context_id", "blind")}

    with pytest.raises(ProofMalformed):
        derive(["/credentialSubject"], secured, HolderPart(**{**given, missing: None}))


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (5, lambda messages: messages + 1),
        (5, lambda messages: messages - 1),
        (5, lambda _: -1),
        (5, lambda _: 1 << 18),
        (5, lambda _: "12"),
        (5, lambda _: None),
    ],
)
def test_bound_proofs_that_are_refused(position, change):
    secured, part = bound()
    derived = derive(["/credentialSubject/sails"], secured, part)
    verify(rebuilt(derived, 0, lambda proof: proof, b"\xd9\x5d\x05"))

    with pytest.raises(Refusal):
        verify(rebuilt(derived, position, change, b"\xd9\x5d\x05"))


def test_a_bound_proof_is_none_of_the_baseline_and_the_other_way_round():
    secured, part = bound()
    derived = derive(["/credentialSubject"], secured, part)
    with pytest.raises(Refusal):
        verify(with_parts(derived, parts_of(derived)[:5], b"\xd9\x5d\x03"))
    baseline = derive(["/credentialSubject"])
    for messages in range(40):
        with pytest.raises(Refusal):
            verify(with_parts(baseline, [*parts_of(baseline), messages], b"\xd9\x5d\x05"))


@pytest.mark.parametrize("entropy", [0, -1, 2**255, "1", None, b"\1" * 32])
def test_entropy_that_is_no_scalar_is_refused(entropy):
    secured, part = bound(nym=NYM, entropy=ENTROPY)

    with pytest.raises(ProofMalformed):
        derive(
            ["/credentialSubject"],
            rebuilt(secured, 5, lambda _: entropy, b"\xd9\x5d\x08"),
            part,
        )
