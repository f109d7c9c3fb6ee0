"""Shares of a secret: k give it back, fewer say nothing, and a false one is named."""

from itertools import combinations

import pytest
from py_arkworks_bls12381 import G1Point, Scalar

from identity.core.opening.sharing import (
    FalseShare,
    TooFewShares,
    deal,
    is_share,
    read_commitment,
    recover,
)
from registry.core.refusals import Malformed
from tests.identity.core.opening.court import Randomness


@pytest.mark.parametrize(("threshold", "holders"), [(2, 2), (2, 3), (3, 5), (5, 7), (15, 15)])
def test_any_k_shares_give_the_secret_back(threshold: int, holders: int) -> None:
    dealing = deal(threshold=threshold, holders=holders, random=Randomness())
    numbered = dict(enumerate(dealing.shares, start=1))

    for chosen in list(combinations(numbered, threshold))[:40]:
        shares = {number: numbered[number] for number in chosen}
        assert recover(shares, commitments=dealing.commitments) == dealing.secret
    assert recover(numbered, commitments=dealing.commitments) == dealing.secret


@pytest.mark.parametrize(("threshold", "holders"), [(2, 3), (3, 5)])
def test_fewer_than_k_are_refused(threshold: int, holders: int) -> None:
    dealing = deal(threshold=threshold, holders=holders, random=Randomness())
    shares = {number: dealing.shares[number - 1] for number in range(1, threshold)}

    with pytest.raises(TooFewShares):
        recover(shares, commitments=dealing.commitments)
    with pytest.raises(TooFewShares):
        recover({}, commitments=dealing.commitments)


def test_fewer_than_k_shares_fit_every_secret() -> None:
    """Shamir's argument, made: for any secret there is a polynomial through the k-1 shares."""
    dealing = deal(threshold=3, holders=3, random=Randomness())
    known = {at: Scalar.from_be_bytes(dealing.shares[at - 1]) for at in (1, 2)}

    for secret in (Scalar(0), Scalar(7), Scalar.from_be_bytes(dealing.secret)):
        points = {0: secret, **known}

        def value(at: int, points: dict[int, Scalar] = points) -> Scalar:
            total = Scalar(0)
            for here, height in points.items():
                factor = Scalar(1)
                for other in points:
                    if other != here:
                        factor *= (Scalar(at) - Scalar(other)) / (Scalar(here) - Scalar(other))
                total += height * factor
            return total

        assert value(1) == known[1]
        assert value(2) == known[2]
        assert value(0) == secret


def test_a_false_share_is_named_whoever_else_is_honest() -> None:
    dealing = deal(threshold=2, holders=4, random=Randomness())
    shares = dict(enumerate(dealing.shares, start=1))
    shares[3] = bytes([shares[3][0] ^ 1]) + shares[3][1:]
    shares[4] = shares[1]

    with pytest.raises(FalseShare) as refusal:
        recover(shares, commitments=dealing.commitments)

    assert refusal.value.holders == (3, 4)


@pytest.mark.parametrize("share", [b"", bytes(32), b"\xff" * 32, bytes(31)])
def test_what_is_no_share_is_none(share: bytes) -> None:
    dealing = deal(threshold=2, holders=2, random=Randomness())

    assert not is_share(share, holder=1, commitments=dealing.commitments)
    assert is_share(dealing.shares[0], holder=1, commitments=dealing.commitments)
    assert not is_share(dealing.shares[0], holder=2, commitments=dealing.commitments)


@pytest.mark.parametrize(("threshold", "holders"), [(1, 3), (0, 2), (3, 2), (2, 16), (-1, 4)])
def test_nobody_opens_alone_and_nothing_is_out_of_reach(threshold: int, holders: int) -> None:
    with pytest.raises(Malformed):
        deal(threshold=threshold, holders=holders, random=Randomness())


@pytest.mark.parametrize("data", [b"", bytes(48), b"\xff" * 48, b"\xc0" + bytes(47)])
def test_a_commitment_is_a_point_of_the_group_in_its_one_encoding(data: bytes) -> None:
    good = bytes(G1Point().to_compressed_bytes())
    assert read_commitment(good) == G1Point()

    with pytest.raises(Malformed):
        read_commitment(data)
