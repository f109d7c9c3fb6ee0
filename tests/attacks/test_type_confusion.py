"""The type confusion matrix: every kind of signed object to everyone who takes one.

All are made by one key, about one thing, with the claims of all kinds in each. Only the right
cell accepts. New kinds, new readers and new endpoints have to be entered here.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from identity.core import key_attestation
from identity.core.key_proof import TYP as KEY_PROOF_TYP
from registry.core.keys import KeyType, SignatureNotValid, verify_signature
from tests.attacks.signed_kinds import FOR_OTHERS, KINDS, REGISTER_TYP, TAKERS, is_taken
from tests.attacks.signed_messages import MESSAGES
from tests.identity.core.signers import signer

ROOT = Path(__file__).resolve().parents[2]
CELLS = [(kind, taker) for kind in KINDS for taker in TAKERS]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_right_reader_accepts(kind: str):
    accepted = {name for name, (_, taker) in TAKERS.items() if is_taken(taker, KINDS[kind])}

    assert accepted == {name for name, (own, _) in TAKERS.items() if own == kind}
    assert len(accepted) == (0 if kind in FOR_OTHERS else 1)


def test_the_matrix_has_a_row_for_each_kind_and_a_column_for_each_reader():
    assert sorted([*(own for own, _ in TAKERS.values()), *FOR_OTHERS]) == sorted(KINDS)
    assert len(CELLS) == len(KINDS) * len(TAKERS) >= 380


# Where signatures are verified, and the reader in the matrix that goes through it.
READERS = {
    "identity.adapters.http_register.HttpRegister._verified": "register answer",
    "identity.core.bbs.blind.verify_blind": "embedded credential",
    "identity.core.bbs.blind.verify_blind_proof": "embedded credential",
    "identity.core.bbs.proof.verify_proof": "embedded credential",
    "identity.core.bbs.signature.verify": "embedded credential",
    "identity.core.data_integrity.bbs_2023._verify": "embedded credential",
    "identity.core.data_integrity.bbs_2023.derive_bbs": "embedded credential",
    "identity.core.data_integrity.ecdsa_sd.EcdsaSdSuite.verify": "embedded credential",
    "identity.cli.conformance.verify.act": "vc+cose envelope",
    "identity.core.data_integrity.suite.HashedSuite.verify": "embedded credential",
    "identity.core.dpop.verify_dpop": "DPoP",
    "identity.core.guardians.verify_approval": "guardian approval",
    "identity.core.guardians.verify_order": "guardian order",
    "identity.core.attesters.attester_key": "key attestation",
    "identity.core.client_attestation.verify_client_attestation": "client attestation",
    "identity.core.key_attestation.verify_attestation": "key attestation",
    "identity.core.key_proof.verify_key_proof": "key proof",
    # Its type is its structure: a COSE message without typ around tagged CBOR.
    "identity.core.mdoc.verifying._verify": "COSE",
    "identity.core.pseudonym.verify_pseudonym": "pseudonym",
    "identity.core.sd_jwt.verifier.verify_key_binding": "key binding",
    "identity.core.sd_jwt.verifier.verify_sd_jwt": "SD-JWT VC",
    "identity.core.sd_jwt_vc.verify_sd_jwt_vc": "SD-JWT VC",
    "identity.core.status_list.cwt.verify_status_cwt": "status CWT",
    "identity.core.stopping.verify_resumption": "resumption",
    "identity.core.verification.envelopes._verify_jws": "vc+jwt envelope",
    "identity.core.verification.envelopes._verify_sd_jwt": "vc+sd-jwt envelope",
    "identity.core.verification.envelopes.verify_binding": "key binding",
    "identity.core.verification.envelopes.verify_envelope": "vc+cose envelope",
    "identity.core.verification.holder._prove_envelope": "vp+jwt envelope",
    "identity.core.verification.holder._verify_key_binding": "key binding",
    "identity.core.verification.holder.prove_presentation": "embedded presentation",
    "identity.core.verification.proof._prove_enveloped": "vc+jwt envelope",
    "identity.core.verification.proof._prove_linked": "embedded credential",
    "identity.core.verification.proof._prove_sd_jwt": "SD-JWT VC",
    "identity.core.verification.status_check._verified_bitstring": "embedded credential",
    "identity.core.verification.status_check._verified_token": "status token",
    "identity.demo.holder.Holder.read_request": "request object",
    "identity.issuer.person_record.OwnRecordDesk._proven": "key binding",
    # The two that others go through, and bare messages, which are tried below.
    "identity.core.cose.verify_sign1": "vc+cose envelope",
    "identity.core.jose.verify_compact": "vc+jwt envelope",
    "registry.consortium.contribution.parse_contribution": "contribution",
    "registry.core.authorship.verify_authorship": "transaction",
    "registry.core.cosignature.cosign": "cosignature",
    "registry.core.cosignature.verify_cosignature": "cosignature",
    "registry.core.light_client.commit.settled": "consensus vote",
    "registry.core.light_client.commit.verify_commit": "consensus vote",
    "registry.core.signed_note.sign_note": "head",
    "registry.core.signed_note.verify_note": "head",
}
_VERIFYING = frozenset(
    {
        *("verify_compact", "verify_signature", "verify_proofs", "verify_sd_jwt", "verify_sign1"),
        *("verify_key_binding", "verify_sd_jwt_vc", "verify_envelope"),
        *("verify_proof", "verify_blind_proof", "verify_parsed", "verify_statement"),  # BBS
    }
)
_TYPE = re.compile(r"(?:application/)?([a-z0-9.-]+\+(?:jwt|sd-jwt|cose|cwt))")
# Types that are media types of answers, or names of formats, and signed under another name.
_NOT_SIGNED_AS_SUCH: frozenset[str] = frozenset()


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in ("identity", "registry"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), ast.parse(path.read_text("utf-8"))


def _callers(node: ast.AST, stack: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        inner = stack
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{stack}.{child.name}"
        if isinstance(child, ast.Call):
            called = child.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in _VERIFYING:
                yield stack
        yield from _callers(child, inner)


def test_everyone_who_verifies_a_signature_is_in_the_matrix():
    found = {caller for module, tree in _sources() for caller in _callers(tree, module)}

    assert found - set(READERS) == set(), "enter the new reader, and its kind, in the matrix"
    assert set(READERS) - found == set()
    assert set(READERS.values()) <= set(TAKERS) | set(MESSAGES)


def test_every_type_that_the_sources_name_is_in_the_matrix():
    named = {
        match.group(1)
        for _, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if (match := _TYPE.fullmatch(node.value)) is not None
    }

    assert named - _NOT_SIGNED_AS_SUCH <= set(KINDS)
    assert {KEY_PROOF_TYP, key_attestation.TYP, REGISTER_TYP} <= set(KINDS)


@pytest.mark.parametrize("signed", MESSAGES)
@pytest.mark.parametrize("read", MESSAGES)
def test_a_signature_over_one_kind_of_message_is_none_over_another(signed: str, read: str):
    one = signer(KeyType.ED25519, 9)
    signature = one.sign(MESSAGES[signed](one))

    if signed == read:
        verify_signature(one.key, message=MESSAGES[read](one), signature=signature)
    else:
        with pytest.raises(SignatureNotValid):
            verify_signature(one.key, message=MESSAGES[read](one), signature=signature)


def test_no_kind_of_message_is_the_beginning_of_another():
    """A label of its own opens each, or a structure that no other kind can have."""
    one = signer(KeyType.ED25519, 9)
    messages = {name: make(one) for name, make in MESSAGES.items()}

    for name, message in messages.items():
        assert len(message) >= 32, name
        for other, theirs in messages.items():
            assert other == name or not theirs.startswith(message[:24]), (name, other)
