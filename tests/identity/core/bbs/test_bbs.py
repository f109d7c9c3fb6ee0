"""BBS by itself: what is refused, what is hidden, that two proofs have nothing in common."""

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from identity.adapters.bbs_keys import bbs_key_from_seed
from identity.core.bbs import blind, proof, signature
from identity.core.bbs.curve import (
    ORDER,
    BbsMalformed,
    BbsNotValid,
    read_g1,
    read_g2,
    read_scalar,
    scalar,
    write_g1,
)
from identity.core.bbs.interface import (
    BLIND,
    CORE,
    MAX_MESSAGES,
    P1,
    PSEUDONYM,
    expand_message,
    generators,
)
from identity.core.bbs.keys import (
    bbs_public_key,
    parse_bbs_did_key,
    parse_bbs_multikey,
    secret_key,
)
from registry.core.encoding import base58_encode
from registry.core.keys import KeyNotAdmitted, parse_did_key, parse_multikey
from registry.core.refusals import Refusal

KEY = bbs_key_from_seed(b"a seed of a test, of 32 bytes....")
MESSAGES = [b"first", b"second", b"", b"fourth"]
HEADER, PRESENTATION = b"header", b"presentation"
SIGNATURE = signature.sign(KEY.secret, header=HEADER, messages=MESSAGES)

IDENTITY_G1 = bytes([0xC0]) + bytes(47)
IDENTITY_G2 = bytes([0xC0]) + bytes(95)


def outside_the_subgroup(read, write, size: int) -> bytes:
    """A point of the curve that is in no subgroup of prime order."""
    for number in range(1, 200):
        data = bytes([0x80]) + bytes(size - 2) + bytes([number])
        try:
            point = read(data)
        except ValueError:
            continue
        if not point.is_in_subgroup():
            return write(point)
    raise AssertionError("there are such points")


STRAY_G1 = outside_the_subgroup(
    G1Point.from_compressed_bytes_unchecked, lambda p: bytes(p.to_compressed_bytes()), 48
)
STRAY_G2 = outside_the_subgroup(
    G2Point.from_compressed_bytes_unchecked, lambda p: bytes(p.to_compressed_bytes()), 96
)
# The base point's x and one field order more: the same point to a careless reader.
FIELD = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
    16,
)


def off_the_curve(size: int) -> bytes:
    for number in range(1, 200):
        data = bytes([0x80]) + bytes(size - 2) + bytes([number])
        read = G1Point if size == 48 else G2Point
        try:
            read.from_compressed_bytes_unchecked(data)
        except ValueError:
            return data
    raise AssertionError("there are such numbers")


def not_reduced(good: bytes) -> bytes:
    """The first coordinate written with the field's order added, where there is room for it."""
    top = int.from_bytes(good[:48], "big") & ((1 << 381) - 1)
    return ((top + FIELD) | (good[0] & 0xE0) << 376).to_bytes(48, "big") + good[48:]


BAD_G1 = {
    "empty": b"",
    "47 bytes": bytes(47),
    "49 bytes": write_g1(P1) + b"\0",
    "zero": bytes(48),
    "all ones": b"\xff" * 48,
    "the identity": IDENTITY_G1,
    "the identity with a sign": bytes([0xE0]) + bytes(47),
    "the identity with rubbish": IDENTITY_G1[:-1] + b"\1",
    "off the curve": off_the_curve(48),
    "outside the subgroup": STRAY_G1,
    "not compressed": bytes([write_g1(P1)[0] & 0x7F]) + write_g1(P1)[1:],
    "a coordinate that is not reduced": not_reduced(b"\x80" + bytes(47)),
}
GOOD_G2 = KEY.key.data
BAD_G2 = {
    "empty": b"",
    "95 bytes": GOOD_G2[:-1],
    "97 bytes": GOOD_G2 + b"\0",
    "a point of G1": write_g1(P1),
    "zero": bytes(96),
    "all ones": b"\xff" * 96,
    "the identity": IDENTITY_G2,
    "the identity with a sign": bytes([0xE0]) + bytes(95),
    "the identity with rubbish": IDENTITY_G2[:-1] + b"\1",
    "off the curve": off_the_curve(96),
    "outside the subgroup": STRAY_G2,
    "not compressed": bytes([GOOD_G2[0] & 0x7F]) + GOOD_G2[1:],
}


@pytest.mark.parametrize("data", BAD_G1.values(), ids=BAD_G1)
def test_what_is_no_point_of_g1(data: bytes):
    with pytest.raises(BbsMalformed):
        read_g1(data)


@pytest.mark.parametrize("data", BAD_G2.values(), ids=BAD_G2)
def test_what_is_no_key(data: bytes):
    with pytest.raises(BbsMalformed):
        read_g2(data)
    with pytest.raises(KeyNotAdmitted):
        bbs_public_key(data)
    multikey = "z" + base58_encode(b"\xeb\x01" + data)
    with pytest.raises(KeyNotAdmitted):
        parse_bbs_multikey(multikey)
    with pytest.raises(KeyNotAdmitted):
        parse_bbs_did_key(f"did:key:{multikey}")


def test_stray_points_are_on_the_curve_and_would_be_taken_by_a_careless_reader():
    assert not G1Point.from_compressed_bytes_unchecked(STRAY_G1).is_in_subgroup()
    assert not G2Point.from_compressed_bytes_unchecked(STRAY_G2).is_in_subgroup()


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_scalars_are_neither_zero_nor_beyond_the_order(number: int):
    with pytest.raises(BbsMalformed):
        read_scalar(number.to_bytes(32, "big"))
    assert int(read_scalar((ORDER - 1).to_bytes(32, "big"))) == ORDER - 1


def test_a_bbs_key_is_admitted_for_bbs_and_nothing_else():
    multikey = KEY.key.multikey

    assert multikey.startswith("zUC7")
    assert parse_bbs_multikey(multikey) == KEY.key
    assert parse_bbs_did_key(KEY.key.did_key) == KEY.key
    with pytest.raises(KeyNotAdmitted):
        parse_multikey(multikey)
    with pytest.raises(KeyNotAdmitted):
        parse_did_key(KEY.key.did_key)
    for other in ("z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "u7QE", "", None, 7):
        with pytest.raises(KeyNotAdmitted):
            parse_bbs_multikey(other)
    with pytest.raises(KeyNotAdmitted):
        parse_bbs_did_key(f"did:web:{multikey}")
    with pytest.raises(KeyNotAdmitted):  # the prefix of another kind, behind the same first letters
        parse_bbs_multikey("zUC7" + "1" * 130)


def test_key_material_is_long_enough_and_no_secret_is_shown():
    with pytest.raises(BbsMalformed):
        secret_key(bytes(31))
    assert "secret" not in repr(KEY)
    assert str(int(KEY.secret)) not in repr(KEY)


def test_the_first_generator_is_that_of_the_draft():
    """draft-irtf-cfrg-bbs-signatures-07, §8.4.3."""
    assert write_g1(generators(1, CORE)[0]).hex() == (
        "a9ec65b70a7fbe40c874c9eb041c2cb0a7af36ccec1bea48fa2ba4c2eb67ef7f9ecb17ed27d38d27cdeddff44c8137be"
    )


def test_generators_of_the_interfaces_have_nothing_in_common():
    sets = [
        {write_g1(point) for point in generators(20, api)}
        for api in (CORE, BLIND, PSEUDONYM, b"BLIND_" + BLIND, b"BLIND_" + PSEUDONYM)
    ]

    assert len(set().union(*sets)) == 100
    assert generators(3, CORE) == generators(20, CORE)[:3]


def test_bounds_are_checked_before_anything_is_computed():
    with pytest.raises(BbsMalformed):
        generators(MAX_MESSAGES + 5, CORE)
    with pytest.raises(BbsMalformed):
        generators(0, CORE)
    with pytest.raises(BbsMalformed):
        signature.sign(KEY.secret, header=b"", messages=[b""] * (MAX_MESSAGES + 1))
    with pytest.raises(BbsMalformed):
        proof.Proof.parse(bytes(proof.MAX_PROOF_BYTES + 32))
    with pytest.raises(BbsMalformed):
        expand_message(b"", b"", 255 * 32 + 1)
    with pytest.raises(BbsMalformed):
        expand_message(b"", bytes(256), 1)
    with pytest.raises(BbsMalformed):
        blind.commit([b""] * 17, random=secrets.token_bytes)


@pytest.mark.parametrize(
    "changed",
    [
        {"header": b"other"},
        {"messages": MESSAGES[:-1]},
        {"messages": [*MESSAGES, b""]},
        {"messages": [*reversed(MESSAGES)]},
        {"messages": [b"firs", b"tsecond", *MESSAGES[2:]]},
        {"messages": []},
    ],
)
def test_a_signature_is_of_this_and_nothing_else(changed):
    given = {"header": HEADER, "messages": MESSAGES}
    signature.verify(KEY.key, SIGNATURE, **given)

    with pytest.raises(BbsNotValid):
        signature.verify(KEY.key, SIGNATURE, **{**given, **changed})
    with pytest.raises(BbsNotValid):
        signature.verify(bbs_key_from_seed(bytes(32)).key, SIGNATURE, **given)


@pytest.mark.parametrize("point", BAD_G1.values(), ids=BAD_G1)
def test_signatures_and_proofs_with_a_bad_point_are_refused_as_malformed(point: bytes):
    made = made_proof()
    with pytest.raises(BbsMalformed):
        signature.verify(KEY.key, point + SIGNATURE[48:], header=HEADER, messages=MESSAGES)
    for place in range(3):
        bad = made[: 48 * place] + point + made[48 * place + 48 :]
        with pytest.raises(BbsMalformed):
            check_proof(bad)
    with pytest.raises(BbsMalformed):
        blind.read_pseudonym(b"somebody", point)
    commitment, _ = blind.commit([b"secret"], random=secrets.token_bytes)
    with pytest.raises(BbsMalformed):
        blind.verify_commitment(point + commitment[48:], BLIND)


def made_proof(disclosed=(0, 3), random=secrets.token_bytes) -> bytes:
    return proof.make_proof(
        KEY.key,
        SIGNATURE,
        header=HEADER,
        presentation_header=PRESENTATION,
        messages=MESSAGES,
        disclosed=disclosed,
        random=random,
    )


def check_proof(data: bytes, **changed) -> None:
    given = {
        "header": HEADER,
        "presentation_header": PRESENTATION,
        "messages": [MESSAGES[0], MESSAGES[3]],
        "disclosed": (0, 3),
    }
    proof.verify_proof(changed.pop("key", KEY.key), data, **{**given, **changed})


@pytest.mark.parametrize("disclosed", [(), (0,), (0, 1, 2, 3), (1, 2), (3,)])
def test_any_part_can_be_shown(disclosed):
    shown = [MESSAGES[place] for place in disclosed]

    check_proof(made_proof(disclosed), messages=shown, disclosed=disclosed)


@pytest.mark.parametrize(
    "changed",
    [
        {"header": b"other"},
        {"presentation_header": b""},
        {"messages": [b"first", b"other"]},
        {"messages": [b"fourth", b"first"]},
        {"disclosed": (0, 2)},
        {"disclosed": (1, 3)},
        {"messages": [b"first"], "disclosed": (0,)},
        {"messages": [b"first", b"second", b"fourth"], "disclosed": (0, 1, 3)},
        {"key": bbs_key_from_seed(bytes(32)).key},
    ],
)
def test_a_proof_is_of_this_and_nothing_else(changed):
    made = made_proof()
    check_proof(made)

    with pytest.raises((BbsNotValid, BbsMalformed)):
        check_proof(made, **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"disclosed": (3, 0)},
        {"disclosed": (0, 0)},
        {"disclosed": (0, 4)},
        {"disclosed": (-1, 3)},
        {"messages": [b"first"]},
    ],
)
def test_places_that_are_not_there_are_malformed(changed):
    made = made_proof()

    with pytest.raises(BbsMalformed):
        check_proof(made, **changed)
    if "disclosed" in changed:
        with pytest.raises(BbsMalformed):
            made_proof(changed["disclosed"])


@given(st.integers(0, 8 * len(made_proof()) - 1))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_is_refused(bit: int):
    data = bytearray(made_proof(random=lambda size: bytes([7]) * size))
    data[bit // 8] ^= 1 << bit % 8

    with pytest.raises((BbsMalformed, BbsNotValid)):
        check_proof(bytes(data))


@given(st.binary(max_size=700))
@settings(max_examples=200, deadline=None)
def test_only_our_refusals_leave_the_parsers(data: bytes):
    for read in (
        proof.Proof.parse,
        signature.read_signature,
        read_g1,
        read_g2,
        read_scalar,
        bbs_public_key,
        lambda value: blind.verify_commitment(value, BLIND),
        lambda value: check_proof(value),
    ):
        try:
            read(data)
        except Refusal:
            continue
        assert read is read_scalar  # of 32 bytes, nearly half are one; of the others, hardly any


def test_the_reason_of_a_no_is_always_the_same():
    """A verifier that told which equation fails would be an oracle."""
    made = made_proof()
    details = set()
    for changed in ({"header": b"x"}, {"presentation_header": b"x"}, {"messages": [b"x", b"y"]}):
        with pytest.raises(BbsNotValid) as refused:
            check_proof(made, **changed)
        details.add(refused.value.detail)
    with pytest.raises(BbsNotValid) as refused:  # the challenge fits, the signature does not
        signature.verify(KEY.key, SIGNATURE, header=b"x", messages=MESSAGES)
    details.add(refused.value.detail)

    assert len(details) == 1


def test_a_proof_made_without_a_signature_satisfies_the_challenge_and_fails_at_the_pairing():
    """Abar and Bbar of one's own choice pass every equation but the last one."""
    forged_a = generators(1, b"a forger's")[0]
    forged = write_g1(forged_a) + SIGNATURE[48:]

    made = proof.make_proof(
        KEY.key,
        forged,
        header=HEADER,
        presentation_header=PRESENTATION,
        messages=MESSAGES,
        disclosed=(0, 3),
        random=secrets.token_bytes,
    )

    with pytest.raises(BbsNotValid):
        check_proof(made)


def chunks(data: bytes, size: int = 16) -> set[bytes]:
    """Every run of `size` bytes."""
    return {data[at : at + size] for at in range(len(data) - size + 1)}


def test_two_proofs_of_one_signature_have_no_bytes_in_common():
    first, second = made_proof(), made_proof()

    assert not chunks(first, 5) & chunks(second, 5)
    assert not chunks(first, 5) & chunks(SIGNATURE, 5)


def test_randomness_is_an_argument_and_bad_randomness_is_noticed():
    made = made_proof(random=lambda size: bytes([7]) * size)

    assert made == made_proof(random=lambda size: bytes([7]) * size)
    with pytest.raises(BbsMalformed):
        made_proof(random=bytes)


# Blind signatures and pseudonyms

NYM, ENTROPY = scalar(1234567), scalar(7654321)


def issued(committed=(b"secret",), nym=None, entropy=None):
    commitment, hidden_by = blind.commit(committed, prover_nym=nym, random=secrets.token_bytes)
    made = blind.blind_sign(
        KEY.secret, commitment, header=HEADER, messages=MESSAGES, signer_nym=entropy
    )
    total = None if nym is None else nym + entropy
    return made, blind.HolderSecrets(committed=tuple(committed), blind=hidden_by, nym=total)


def shown(made: bytes, kept: blind.HolderSecrets, context=None, disclosed=(0, 3)) -> bytes:
    return blind.make_blind_proof(
        KEY.key,
        made,
        header=HEADER,
        presentation_header=PRESENTATION,
        messages=MESSAGES,
        disclosed=disclosed,
        secrets=kept,
        context_id=context,
        random=secrets.token_bytes,
    )


def check_shown(data: bytes, pseudonym=None, **changed) -> None:
    given = {
        "header": HEADER,
        "presentation_header": PRESENTATION,
        "messages": [MESSAGES[0], MESSAGES[3]],
        "disclosed": (0, 3),
        "signer_messages": len(MESSAGES),
    }
    blind.verify_blind_proof(KEY.key, data, pseudonym=pseudonym, **{**given, **changed})


def test_only_who_knows_the_secret_can_show_a_bound_credential():
    made, kept = issued()
    check_shown(shown(made, kept))
    blind.verify_blind(KEY.key, made, header=HEADER, messages=MESSAGES, secrets=kept)

    for other in (
        blind.HolderSecrets(committed=(b"another",), blind=kept.blind),
        blind.HolderSecrets(committed=kept.committed, blind=kept.blind + scalar(1)),
        blind.HolderSecrets(committed=(), blind=kept.blind),
        blind.HolderSecrets(committed=(b"secret", b"secret"), blind=kept.blind),
    ):
        with pytest.raises(BbsNotValid):
            blind.verify_blind(KEY.key, made, header=HEADER, messages=MESSAGES, secrets=other)
        with pytest.raises((BbsNotValid, BbsMalformed)):
            check_shown(shown(made, other))


def test_pseudonyms_are_the_same_for_one_verifier_and_another_for_each():
    made, kept = issued(nym=NYM, entropy=ENTROPY)
    at = {
        context: blind.read_pseudonym(context, blind.pseudonym_for(context, kept.nym))
        for context in (b"a bar", b"a bank")
    }

    for context, pseudonym in at.items():
        for _ in range(2):
            check_shown(shown(made, kept, context), pseudonym)
    assert at[b"a bar"].point != at[b"a bank"].point
    with pytest.raises(BbsNotValid):
        check_shown(shown(made, kept, b"a bar"), at[b"a bank"])
    other = blind.read_pseudonym(b"a bar", blind.pseudonym_for(b"a bar", scalar(99)))
    with pytest.raises(BbsNotValid):
        check_shown(shown(made, kept, b"a bar"), other)


def test_a_proof_with_pseudonym_is_none_without_and_the_other_way_round():
    made, kept = issued(nym=NYM, entropy=ENTROPY)
    pseudonym = blind.read_pseudonym(b"a bar", blind.pseudonym_for(b"a bar", kept.nym))
    bound, bound_secrets = issued()

    with pytest.raises(BbsNotValid):
        check_shown(shown(made, kept, b"a bar"))
    with pytest.raises(BbsNotValid):
        check_shown(shown(bound, bound_secrets), pseudonym)
    for context, holder in ((None, kept), (b"a bar", bound_secrets)):
        with pytest.raises(BbsMalformed):
            shown(made, holder, context)
    with pytest.raises(BbsMalformed):
        shown(made, kept, b"")


def test_the_signer_has_a_say_in_every_pseudonym():
    first, _ = issued(committed=(), nym=NYM, entropy=ENTROPY)
    _, kept = issued(committed=(), nym=NYM, entropy=scalar(5))

    with pytest.raises(BbsNotValid):
        blind.verify_blind(KEY.key, first, header=HEADER, messages=MESSAGES, secrets=kept)


def test_a_commitment_that_its_maker_cannot_open_is_not_signed():
    commitment, _ = blind.commit([b"secret"], random=secrets.token_bytes)
    stranger, _ = blind.commit([b"other"], random=secrets.token_bytes)
    nym_commitment, _ = blind.commit([], prover_nym=NYM, random=secrets.token_bytes)
    for bad, entropy in (
        (stranger[:48] + commitment[48:], None),
        (commitment[:-32] + stranger[-32:], None),
        (commitment, ENTROPY),  # of the other interface
        (nym_commitment, None),
        (commitment[:-32], None),
        (commitment + bytes(32), None),
        (commitment + b"\1" * 32, None),
        (commitment[:-1], None),
        (b"", None),
        (commitment[:48], None),
    ):
        with pytest.raises((BbsNotValid, BbsMalformed)):
            blind.blind_sign(KEY.secret, bad, header=HEADER, messages=MESSAGES, signer_nym=entropy)
    empty, _ = blind.commit([], prover_nym=NYM, random=secrets.token_bytes)
    assert blind.verify_commitment(empty, PSEUDONYM)[1] == 1


def test_a_commitment_without_a_secret_makes_no_pseudonym():
    points = generators(1, b"BLIND_" + PSEUDONYM)
    hidden_by, mask = scalar(11), scalar(13)
    point = points[0] * hidden_by
    challenge = blind._commitment_challenge(point, points[0] * mask, points, PSEUDONYM)
    answer: Scalar = mask + hidden_by * challenge
    commitment = write_g1(point) + bytes(answer.to_be_bytes()) + bytes(challenge.to_be_bytes())
    assert blind.verify_commitment(commitment, PSEUDONYM)[1] == 0

    with pytest.raises(BbsMalformed):
        blind.blind_sign(
            KEY.secret, commitment, header=HEADER, messages=MESSAGES, signer_nym=ENTROPY
        )


@pytest.mark.parametrize("signer_messages", [-1, 0, 3, 5, 6, 100])
def test_how_many_messages_the_signer_said_cannot_be_lied_about(signer_messages: int):
    made, kept = issued()

    with pytest.raises((BbsNotValid, BbsMalformed)):
        check_shown(shown(made, kept), signer_messages=signer_messages)


def test_what_only_the_holder_may_know_cannot_be_shown():
    made, kept = issued()
    statement = blind.blind_statement(KEY.key, header=HEADER, messages=MESSAGES, secrets=kept)
    data = proof.prove(
        statement,
        made,
        presentation_header=PRESENTATION,
        disclosed=(0, 5),
        random=secrets.token_bytes,
    )

    with pytest.raises(BbsMalformed):
        check_shown(data, messages=[MESSAGES[0], b"secret"], disclosed=(0, 5))
    nym_made, nym_kept = issued(nym=NYM, entropy=ENTROPY)
    with pytest.raises(BbsMalformed):
        proof.prove(
            blind.blind_statement(KEY.key, header=HEADER, messages=MESSAGES, secrets=nym_kept),
            nym_made,
            presentation_header=PRESENTATION,
            disclosed=(6,),
            random=secrets.token_bytes,
            context=blind.context_base(b"a bar"),
        )
