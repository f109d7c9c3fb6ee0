"""Opening: nothing below k, one person with k and an order, and never without the ledger."""

import ast
import copy
import json
import pickle
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from identity.core.opening import giving
from identity.core.opening.giving import (
    BoxNotOpened,
    GivenShare,
    NotBehindOrder,
    ShareNotOpened,
    combine,
    give_share,
    release_gate,
)
from identity.core.opening.order import (
    OrderNotVerified,
    VerifiedOrder,
    commitment_of,
    parse_order_evidence,
    verify_order,
)
from identity.core.opening.sealed_identity import (
    NotSealedTo,
    SealedIdentity,
    parse_sealed_identity,
    public_half,
)
from identity.core.opening.sharing import FalseShare, TooFewShares
from registry.core.encoding import canonical_json, parse_json
from registry.core.refusals import Malformed, Refusal
from registry.core.signed_note import NoteNotSigned
from registry.core.sparse_map import MapNotProven
from tests.identity.core.opening.court import (
    IDENTITY,
    INSTITUTIONS,
    TRUST,
    Court,
    private,
)
from tests.registry.core.heads import NOW, SECOND, anchor_of

SALT = b"s" * 32
SOURCES = Path(giving.__file__).parents[2]


@pytest.fixture
def court() -> Court:
    return Court()


@pytest.fixture
def sealed(court: Court) -> SealedIdentity:
    return court.seal()


def opened(court: Court, sealed: SealedIdentity, *names: str, number: int = 1) -> bytes:
    order = court.verified(sealed, SALT, number)
    return combine(
        sealed,
        order=order,
        shares=[court.share(name, sealed, order) for name in names],
        gate=release_gate(sealed, order=order, private=private("gate")),
        private=private("court"),
    )


def test_k_institutions_open_one_person_under_an_order(court: Court) -> None:
    sealed, other = court.seal(), court.seal(b"somebody else")
    court.order(sealed, SALT, *INSTITUTIONS)

    for names in (*combinations(INSTITUTIONS, 2), INSTITUTIONS):
        assert opened(court, sealed, *names) == IDENTITY

    with pytest.raises(OrderNotVerified):  # the order opens one person, not two
        opened(court, other, "court", "registry")


@pytest.mark.parametrize("threshold", [2, 3])
def test_fewer_than_k_open_nothing(threshold: int) -> None:
    court = Court(threshold=threshold)
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)

    for size in range(threshold):
        for names in combinations(INSTITUTIONS, size):
            with pytest.raises(TooFewShares):
                opened(court, sealed, *names)
    assert opened(court, sealed, *INSTITUTIONS[:threshold]) == IDENTITY


def test_one_institution_that_gives_its_share_twice_is_one(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)

    with pytest.raises(TooFewShares):
        opened(court, sealed, "court", "court")


def test_a_false_share_is_named_and_the_honest_ones_still_open(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    order = court.verified(sealed, SALT)
    good = [court.share(name, sealed, order) for name in ("court", "registry")]
    # The ombudsman passes on the share of the court as if it were the ombudsman's own.
    wrong_info = giving._transfer_info(1, sealed.digest, 2, good[0].to)
    share = giving._part(sealed, 1, private("court"))
    box = giving.encrypt(share, key=good[0].to, info=wrong_info)
    false = replace(good[0], holder=2, box=box)
    gate = release_gate(sealed, order=order, private=private("gate"))
    parts = {"order": order, "gate": gate, "private": private("court")}

    with pytest.raises(FalseShare) as refusal:
        combine(sealed, shares=[*good, false], **parts)  # type: ignore[arg-type]

    assert refusal.value.holders == (2,)
    assert combine(sealed, shares=good, **parts) == IDENTITY  # type: ignore[arg-type]


def test_without_an_order_on_the_ledger_there_is_nothing_to_begin_with(court: Court) -> None:
    sealed = court.seal()

    with pytest.raises(KeyError):  # the ledger has no order to prove
        court.evidence()
    court.order(court.seal(), SALT, *INSTITUTIONS)  # an order, for somebody else
    with pytest.raises(OrderNotVerified):
        court.verified(sealed, SALT)
    with pytest.raises(OrderNotVerified):
        court.verified(sealed, b"t" * 32)


def forgeries(court: Court, sealed: SealedIdentity) -> list[Any]:
    """Everything that looks like a verified order for `sealed`, and is none."""
    other = court.seal()
    court.order(other, SALT, *INSTITUTIONS)
    genuine = court.verified(other, SALT)
    bare = object.__new__(VerifiedOrder)
    dressed = object.__new__(VerifiedOrder)
    for name in ("order", "_evidence", "_salt", "_trust"):
        object.__setattr__(dressed, name, getattr(genuine, name))
    stuffed = object.__new__(VerifiedOrder)
    evidence = court.evidence()
    fitting = replace(evidence.order, commitment=commitment_of(sealed, SALT))
    object.__setattr__(stuffed, "order", fitting)
    object.__setattr__(stuffed, "_evidence", replace(evidence, order=fitting))
    object.__setattr__(stuffed, "_salt", SALT)
    object.__setattr__(stuffed, "_trust", TRUST)

    class Sub(VerifiedOrder):
        """A subclass is none either."""

    class Alike:
        """Neither is a look-alike."""

        order = fitting

    return [None, True, fitting, genuine, bare, dressed, stuffed, object.__new__(Sub), Alike()]


def test_nothing_that_decrypts_takes_anything_but_a_proof(court: Court) -> None:
    sealed = court.seal()
    given = GivenShare(order=1, seal_digest=sealed.digest, holder=1, to=bytes(32), box=b"")

    for forged in forgeries(court, sealed):
        for act in (
            lambda f: give_share(
                sealed, order=f, private=private("court"), to=public_half(private("court"))
            ),
            lambda f: release_gate(sealed, order=f, private=private("gate")),
            lambda f: combine(
                sealed, order=f, shares=[given], gate=bytes(32), private=private("court")
            ),
        ):
            with pytest.raises((OrderNotVerified, MapNotProven)):
                act(forged)


def test_a_verified_order_is_neither_made_nor_changed_nor_carried_about(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    order = court.verified(sealed, SALT)

    for forbidden in (
        lambda: VerifiedOrder(order=order.order),
        lambda: setattr(order, "order", None),
        lambda: pickle.dumps(order),
        lambda: copy.copy(order),
    ):
        with pytest.raises(OrderNotVerified):
            forbidden()


def test_only_this_module_decrypts_parts_and_each_way_in_asks_for_the_order() -> None:
    """Structure: HPKE decrypts in `giving` alone, and its public functions begin with the check."""
    users = [
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if "SUITE.decrypt" in path.read_text("utf-8")
    ]
    assert users == ["core/opening/giving.py"]
    tree = ast.parse(Path(giving.__file__).read_text("utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    ways_in = [name for name in functions if not name.startswith("_")]
    assert ways_in == ["give_share", "release_gate", "combine"]
    for name in ways_in:
        first = ast.unparse(functions[name].body[1])  # after the docstring
        assert "require_order(order, sealed)" in first, name


def test_k_institutions_with_software_of_their_own_still_need_the_gate(court: Court) -> None:
    """The shares alone, decrypted without asking anybody, open nothing: the gate is missing."""
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    order = court.verified(sealed, SALT)
    shares = [court.share(name, sealed, order) for name in INSTITUTIONS]

    for guess in (bytes(32), b"", sealed.gate_share[-32:]):
        with pytest.raises(BoxNotOpened):
            combine(sealed, order=order, shares=shares, gate=guess, private=private("court"))
    for name in INSTITUTIONS:
        with pytest.raises(ShareNotOpened):
            release_gate(sealed, order=order, private=private(name))


def test_a_share_is_given_only_by_who_signed_the_order(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, "court", "ombudsman")
    order = court.verified(sealed, SALT)

    with pytest.raises(NotBehindOrder):
        court.share("registry", sealed, order)
    with pytest.raises(NotSealedTo):
        give_share(sealed, order=order, private=b"k" * 32, to=public_half(private("court")))
    with pytest.raises(NotSealedTo):
        give_share(sealed, order=order, private=private("court"), to=public_half(b"k" * 32))


def test_too_few_holders_behind_an_order_are_no_order() -> None:
    court = Court(threshold=3)
    sealed = court.seal()
    court.order(sealed, SALT, "court", "ombudsman")  # enough for the ledger, not for this record

    with pytest.raises(OrderNotVerified):
        court.verified(sealed, SALT)


def test_a_share_opens_for_its_receiver_and_its_order_only(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    court.order(sealed, SALT, *INSTITUTIONS, number=2)
    first, second = court.verified(sealed, SALT), court.verified(sealed, SALT, 2)
    shares = [court.share(name, sealed, first) for name in ("court", "registry")]
    gate = release_gate(sealed, order=first, private=private("gate"))

    for order, key in ((second, "court"), (first, "registry")):
        with pytest.raises(ShareNotOpened):
            combine(sealed, order=order, shares=shares, gate=gate, private=private(key))
    renamed = [replace(share, order=2) for share in shares]
    with pytest.raises(ShareNotOpened):
        combine(sealed, order=second, shares=renamed, gate=gate, private=private("court"))


def test_evidence_under_another_head_or_with_another_count_proves_nothing(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    evidence = court.evidence()
    told = {"sealed": sealed, "salt": SALT}

    strangers = anchor_of(SECOND, network=TRUST.network)
    with pytest.raises(NoteNotSigned):
        verify_order(evidence, trust=strangers, now=NOW, **told)  # type: ignore[arg-type]
    for changed in (
        replace(evidence, order=replace(evidence.order, number=2)),
        replace(evidence, order=replace(evidence.order, notice_days=0)),
        replace(evidence, count=replace(evidence.count, count=7)),
        replace(evidence, count_proof=evidence.order_proof),
    ):
        with pytest.raises(Refusal):
            verify_order(changed, trust=TRUST, now=NOW, **told)  # type: ignore[arg-type]


def test_the_commitment_says_nothing_without_its_salt(court: Court) -> None:
    sealed = court.seal()

    assert commitment_of(sealed, SALT) != commitment_of(sealed, b"t" * 32)
    with pytest.raises(Malformed):
        commitment_of(sealed, b"short")


def test_records_travel_as_json_and_come_back_the_same(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    evidence, order = court.evidence(), court.verified(sealed, SALT)
    share = court.share("court", sealed, order)

    def there_and_back(value: Any) -> Any:
        return parse_json(canonical_json(value.to_object()))

    assert parse_sealed_identity(there_and_back(sealed)) == sealed
    assert parse_order_evidence(there_and_back(evidence)) == evidence
    assert GivenShare.parse(there_and_back(share)) == share
    assert b"Kestrel" not in canonical_json(sealed.to_object())


def test_every_changed_member_of_a_sealed_record_is_noticed(court: Court) -> None:
    sealed = court.seal()
    court.order(sealed, SALT, *INSTITUTIONS)
    original = sealed.to_object()
    tried = 0
    for name, value in original.items():
        for changed in (None, 1, "", [], value[::-1] if isinstance(value, str | list) else 3):
            if changed == value:
                continue
            tried += 1
            try:
                altered = parse_sealed_identity({**json.loads(json.dumps(original)), name: changed})
            except Malformed:
                continue
            with pytest.raises((OrderNotVerified, Malformed)):
                opened(court, altered, "court", "registry")
    assert tried >= 55
