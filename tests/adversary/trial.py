"""Runs mutations of one kind, each between two runs of its untouched twin."""

import os
import random
import zlib
from collections import Counter
from dataclasses import dataclass, field

from tests.adversary.judging import reason
from tests.adversary.kinds import Kind
from tests.adversary.trees import mutate

SEED = int(os.environ.get("CAIRN_MUTATION_SEED", "20261126"))
FORMS = ("unsigned", "spliced signature", "wrong key", "own method", "own name")


@dataclass
class Tally:
    """What happened. `counted` are refusals for a reason of their own, with a healthy twin."""

    counted: int = 0
    same: int = 0  # said the same in other words; accepted, and not counted
    reasons: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)


class Finding(AssertionError):
    """Accepted, or refused for another's reason; names seed, kind and number."""


def run(kind: Kind, wanted: int, *, seed: int = SEED, first: int = 0) -> Tally:
    """Mutate until `wanted` changed objects were refused.

    Raises:
        Finding: for the first that was not, or was for a reason that is not its own.
    """
    tally = Tally()
    _check_twin(kind)
    for number in range(first, first + 2 * wanted + 50):
        if tally.counted == wanted:
            return tally
        one(kind, number, seed, tally)
    raise Finding(f"{kind.name}: too few of {2 * wanted} changes changed anything")


def one(kind: Kind, number: int, seed: int, tally: Tally) -> None:
    """Mutation `number` of a kind; the same for the same seed, on every machine."""
    rng = random.Random(zlib.crc32(kind.name.encode()) * 1_000_003 + seed * 7_919 + number)
    form = FORMS[number % len(FORMS)]
    operation, tree = mutate(kind.tree, kind.donors, rng)
    key = kind.wrong[rng.randrange(len(kind.wrong))]
    if form == "unsigned":
        sent, expected = kind.unsigned(tree), kind.bad_signature
    elif form == "spliced signature":
        sent, expected = kind.spliced(tree), kind.bad_signature
    elif form == "wrong key":
        sent, expected = kind.signed(tree, key), kind.bad_signature
    else:
        by_issuer = form == "own name"
        sent = kind.signed(kind.renamed(tree, key, also_issuer=by_issuer), key)
        tree = kind.renamed(tree, kind.right, also_issuer=by_issuer)
        expected = kind.own_method | kind.own_name
    where = f"seed {seed} kind {kind.name} number {number}: {operation}, {form}"
    verdict = kind.judge(sent)
    if verdict.is_verified:
        if not kind.is_same(sent):
            raise Finding(f"accepted: {where}\n{sent!r}")
        tally.same += 1
        return
    why = reason(verdict)
    if verdict.credentials:
        raise Finding(f"refused and told about: {where}")
    if why not in expected:
        # Then the change itself is at fault, and the right key does not heal it.
        healed = kind.judge(kind.signed(tree, kind.right))
        is_value = why in kind.bad_value and kind.is_value_changed(tree)
        if not is_value and (healed.is_verified or reason(healed) != why):
            said = "verified" if healed.is_verified else reason(healed)
            raise Finding(f"{why} is not the reason (signed rightly: {said}): {where}\n{sent!r}")
    _check_twin(kind)
    tally.counted += 1
    tally.reasons[why] += 1
    tally.operations[operation.partition("+")[0]] += 1


def _check_twin(kind: Kind) -> None:
    verdict = kind.judge(kind.twin)
    if not verdict.is_verified:
        raise Finding(f"{kind.name}: the untouched twin is refused: {verdict.failures}")
