"""Structured mutations of JWT, SD-JWT and COSE: none is accepted.

Seed and kind are printed; `CAIRN_MUTATION_SEED` chooses another set, `python -m tests.adversary`
runs long, and says how to make one finding again.
"""

import pytest

from tests.adversary.plan import ENVELOPED, PLANNED
from tests.adversary.trees import NAMES
from tests.adversary.trial import SEED, run

KINDS = ENVELOPED


def test_twenty_thousand_are_planned():
    assert PLANNED >= 20_000


@pytest.mark.parametrize("name", KINDS)
def test_no_mutation_is_accepted_and_each_is_refused_for_its_own_reason(name: str):
    count, make = KINDS[name]

    tally = run(make(), count)

    print(f"seed {SEED} kind {name}: {tally.counted} refused, {tally.same} said the same")
    assert tally.counted == count
    assert len(tally.reasons) >= 4  # not one reason for everything
    assert set(tally.operations) == set(NAMES)
    assert tally.same <= count // 10
