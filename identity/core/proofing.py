"""From evidence to an assurance level, in the words of NIST SP 800-63A-4.

The agency's officer says which evidence was seen and how it was tied to the person; the register
match is added by ourselves. The level follows from one table, and the table from §4 of the
specification (summary: Table 1).
"""

from collections.abc import Sequence
from enum import StrEnum

from registry.core.refusals import Malformed, NotPermitted

MAX_EVIDENCE = 16  # pieces in one enrolment; the highest level needs six


class EvidenceTooWeak(NotPermitted):
    """The evidence does not reach the lowest assurance level."""


class AssuranceLevel(StrEnum):
    """Identity assurance levels, lowest first (SP 800-63A-4 §2.5)."""

    IAL1 = "IAL1"
    IAL2 = "IAL2"
    IAL3 = "IAL3"


class Strength(StrEnum):
    """Strength of a piece of evidence (SP 800-63A-4 §2.4.1)."""

    FAIR = "FAIR"
    STRONG = "STRONG"
    SUPERIOR = "SUPERIOR"


class EvidenceKind(StrEnum):
    """What an enrolment can rest on: pieces of evidence, ways to verify, and the session."""

    SUPPORTING_RECORD = "supporting-record"  # account at a bank, insurer or utility; validated
    REGISTER_RECORD = "register-record"  # the register's own record; added by us, never claimed
    DOCUMENT = "document"  # government document with portrait, security features inspected
    CHIP_DOCUMENT = "chip-document"  # its chip's signature verified up to the issuing state
    CONFIRMATION_CODE = "confirmation-code"  # returned from a validated digital address
    POSTAL_CODE = "postal-code"  # returned from the validated postal address on the evidence
    VISUAL_MATCH = "visual-match"  # an officer compared face and portrait
    BIOMETRIC_MATCH = "biometric-match"  # an automated comparison against the evidence
    ONSITE_ATTENDED = "onsite-attended"  # the person stood before a trained officer
    BIOMETRIC_SAMPLE = "biometric-sample"  # taken on site and kept by the agency, never by us


STRENGTHS = {
    EvidenceKind.SUPPORTING_RECORD: Strength.FAIR,
    EvidenceKind.REGISTER_RECORD: Strength.FAIR,
    EvidenceKind.DOCUMENT: Strength.STRONG,
    EvidenceKind.CHIP_DOCUMENT: Strength.SUPERIOR,
}

_K = EvidenceKind
_FACE = frozenset({_K.VISUAL_MATCH, _K.BIOMETRIC_MATCH})
# Ways that verify ownership of STRONG and SUPERIOR evidence, by level (§4.1.6, §4.2.6, §4.3.6).
_OWNERSHIP = {
    AssuranceLevel.IAL1: _FACE | {_K.POSTAL_CODE, _K.CONFIRMATION_CODE},
    AssuranceLevel.IAL2: _FACE | {_K.POSTAL_CODE},
    AssuranceLevel.IAL3: _FACE,
}
# What must be there besides: IAL3 is onsite and attended, with a sample (§4.3.1, §4.3.3).
_SESSION = {
    AssuranceLevel.IAL1: frozenset[EvidenceKind](),
    AssuranceLevel.IAL2: frozenset[EvidenceKind](),
    AssuranceLevel.IAL3: frozenset({_K.ONSITE_ATTENDED, _K.BIOMETRIC_SAMPLE}),
}


def claimed_evidence(names: Sequence[str]) -> tuple[EvidenceKind, ...]:
    """Read the kinds that an agency claims.

    Raises:
        Malformed: none or too many, an unknown kind, or one that only we may add.
    """
    if not 0 < len(names) <= MAX_EVIDENCE:
        raise Malformed(f"an enrolment has 1 to {MAX_EVIDENCE} pieces of evidence")
    known = {str(kind): kind for kind in EvidenceKind}
    if any(name not in known or known[name] is _K.REGISTER_RECORD for name in names):
        raise Malformed("evidence of an unknown type")
    return tuple(known[name] for name in names)


def assurance_level(evidence: Sequence[EvidenceKind]) -> AssuranceLevel:
    """The highest level that `evidence` reaches.

    Raises:
        EvidenceTooWeak: not even IAL1.
    """
    for level in reversed(AssuranceLevel):
        if (
            _enough_pieces(evidence, level)
            and _OWNERSHIP[level].intersection(evidence)
            and _SESSION[level].issubset(evidence)
        ):
            return level
    raise EvidenceTooWeak("the evidence does not reach assurance level IAL1")


def _enough_pieces(evidence: Sequence[EvidenceKind], level: AssuranceLevel) -> bool:
    """Evidence collection: §4.1.2 for IAL1; §4.2.2 and §4.3.2 are the same."""
    pieces = [kind for kind in evidence if kind in STRENGTHS]
    strengths = [STRENGTHS[kind] for kind in pieces]
    if Strength.SUPERIOR in strengths:
        return True
    if level is AssuranceLevel.IAL1:  # the person brings something; a record of ours is not that
        return any(kind is not _K.REGISTER_RECORD for kind in pieces)
    return Strength.STRONG in strengths and len(strengths) > 1
