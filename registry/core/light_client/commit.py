"""Who has signed a light block, and whether they are enough."""

from dataclasses import dataclass

from registry.core.keys import SignatureNotValid, verify_signature
from registry.core.light_client.encodings import header_hash, validators_hash, vote_message
from registry.core.light_client.light_block import (
    ABSENT,
    Commit,
    LightBlock,
    ValidatorSet,
    VoteKind,
)
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed


class HeaderNotCommitted(NotProven):
    """Header, commit and validators do not belong together, or a signature is false."""


class TooFewSigned(NotProven):
    """Validators have signed, but not more than two thirds of the voting power."""


@dataclass(frozen=True, slots=True)
class CommittedBlock:
    """A light block that is sound in itself: its own validators have decided it.

    Whether they are to be believed is a question of what its reader already trusts.
    """

    block: LightBlock
    hash: bytes  # of the header, 32 bytes
    signers: frozenset[bytes]  # addresses of all who voted for it


def verify_commit(unverified: LightBlock) -> CommittedBlock:
    """Check that more than two thirds of a light block's own validators have signed its header.

    Steps:

    1. The commit is on this header: same height, and the header's hash.
    2. The set is the one that the header names.
    3. There is one vote for each validator, in the order of the set, and with its address; so
       nobody is counted twice.
    4. Every signature that is there verifies, also one for nil and one beyond what is needed
       (RFC 8032, not ZIP-215; decision 0026).
    5. The votes for the block have more than two thirds of the voting power.

    Raises:
        HeaderNotCommitted: step 1, 2, 3 or 4 fails.
        TooFewSigned: step 5 fails.
    """
    header, commit, validators = unverified.header, unverified.commit, unverified.validators
    # 1
    hashed = header_hash(header)
    if commit.height != header.height or commit.block.hash != hashed:
        raise HeaderNotCommitted("the commit is on another header")
    # 2
    if validators_hash(validators) != header.validators_hash:
        raise HeaderNotCommitted("the header names other validators")
    # 3
    if len(commit.votes) != len(validators.validators):
        raise HeaderNotCommitted("the commit has not one vote for each validator")
    signers: set[bytes] = set()
    for vote, validator in zip(commit.votes, validators.validators, strict=True):
        if vote.kind is VoteKind.ABSENT:
            continue
        if vote.address != validator.address:
            raise HeaderNotCommitted("a vote is not of the validator at its place")
        # 4
        try:
            verify_signature(
                validator.key,
                message=vote_message(commit, vote, header.chain_id),
                signature=vote.signature,
            )
        except SignatureNotValid as error:
            raise HeaderNotCommitted("a signature of the commit does not verify") from error
        if vote.kind is VoteKind.COMMIT:
            signers.add(validator.address)
    # 5
    if 3 * power_of(signers, validators) <= 2 * validators.power:
        raise TooFewSigned("not more than two thirds of the validators have signed")
    return CommittedBlock(unverified, hashed, frozenset(signers))


def power_of(signers: set[bytes] | frozenset[bytes], validators: ValidatorSet) -> int:
    """Voting power in a set of those whose addresses are given."""
    return sum(item.power for item in validators.validators if item.address in signers)


def settled(unverified: LightBlock) -> LightBlock:
    """The same light block, without the votes that prove nothing.

    A node does this once, before it shows a head. Votes for nil are legal and prove nothing; and
    CometBFT accepts a malformed signature that `verify_commit` refuses (decision 0026). One member
    that makes such signatures must not be able to spoil the heads of all.

    Raises:
        HeaderNotCommitted, TooFewSigned: what is left is not enough, or as `verify_commit`.
        Malformed: the commit has not one vote for each validator.
    """
    commit, validators = unverified.commit, unverified.validators.validators
    if len(commit.votes) != len(validators):
        raise Malformed("the commit has not one vote for each validator")
    votes = []
    for vote, validator in zip(commit.votes, validators, strict=True):
        kept = ABSENT
        if vote.kind is VoteKind.COMMIT:
            try:
                verify_signature(
                    validator.key,
                    message=vote_message(commit, vote, unverified.header.chain_id),
                    signature=vote.signature,
                )
                kept = vote
            except SignatureNotValid:
                pass
        votes.append(kept)
    result = LightBlock(
        unverified.header,
        Commit(commit.height, commit.round, commit.block, tuple(votes)),
        unverified.validators,
    )
    verify_commit(result)
    return result
