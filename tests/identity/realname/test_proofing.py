"""Evidence to level, held to the requirements of NIST SP 800-63A-4 §4 line by line."""

from itertools import combinations

import pytest

from identity.core.proofing import (
    MAX_EVIDENCE,
    AssuranceLevel,
    EvidenceKind,
    EvidenceTooWeak,
    assurance_level,
    claimed_evidence,
)
from registry.core.refusals import Malformed

OURS = (EvidenceKind.REGISTER_RECORD,)


@pytest.mark.parametrize(
    ("claimed", "level"),
    [
        # Evidence and ownership
        (["document", "biometric-match"], "IAL2"),
        (["document", "visual-match"], "IAL2"),
        (["document", "postal-code"], "IAL2"),
        (["chip-document", "biometric-match"], "IAL2"),
        (["supporting-record", "document", "visual-match"], "IAL2"),
        # A code to a digital address does not verify STRONG evidence at IAL2
        (["document", "confirmation-code"], "IAL1"),
        (["supporting-record", "confirmation-code"], "IAL1"),
        (["supporting-record", "biometric-match"], "IAL1"),  # FAIR and FAIR is no STRONG
        # IAL3 is onsite, attended, with a sample
        (["document", "biometric-match", "onsite-attended", "biometric-sample"], "IAL3"),
        (["chip-document", "visual-match", "onsite-attended", "biometric-sample"], "IAL3"),
        (["document", "biometric-match", "onsite-attended"], "IAL2"),
        (["document", "biometric-match", "biometric-sample"], "IAL2"),
        (["document", "postal-code", "onsite-attended", "biometric-sample"], "IAL2"),
    ],
)
def test_the_level_follows_from_the_evidence(claimed: list[str], level: str):
    assert assurance_level((*claimed_evidence(claimed), *OURS)) == AssuranceLevel(level)


@pytest.mark.parametrize(
    "claimed",
    [
        ["document"],  # whose is it?
        ["supporting-record"],
        ["biometric-match"],  # matched with what?
        ["confirmation-code"],  # the register's record is ours; the person brought nothing
        ["onsite-attended", "biometric-sample", "visual-match"],
        ["document", "onsite-attended", "biometric-sample"],
    ],
)
def test_too_little_is_refused(claimed: list[str]):
    with pytest.raises(EvidenceTooWeak):
        assurance_level((*claimed_evidence(claimed), *OURS))


def test_without_a_register_match_one_strong_piece_is_not_enough_for_ial2():
    evidence = claimed_evidence(["document", "biometric-match"])

    assert assurance_level(evidence) is AssuranceLevel.IAL1
    assert assurance_level((*evidence, *OURS)) is AssuranceLevel.IAL2


def test_more_evidence_never_lowers_the_level():
    levels = {}
    for size in range(len(EvidenceKind) + 1):
        for chosen in combinations(EvidenceKind, size):
            try:
                levels[frozenset(chosen)] = str(assurance_level(chosen))
            except EvidenceTooWeak:
                levels[frozenset(chosen)] = ""

    assert len(levels) == 2 ** len(EvidenceKind)
    for chosen, level in levels.items():
        assert all(levels[chosen | {more}] >= level for more in EvidenceKind)
    assert set(levels.values()) == {"", "IAL1", "IAL2", "IAL3"}


@pytest.mark.parametrize(
    "names",
    [[], ["document"] * (MAX_EVIDENCE + 1), ["register-record"], ["passport"], ["DOCUMENT"], [""]],
)
def test_what_an_agency_cannot_claim_is_refused(names: list[str]):
    with pytest.raises(Malformed):
        claimed_evidence(names)
