"""Why a check says no: a refusal with a reason code that does not change between releases."""

import re

from registry.core.refusals import NotPermitted, Refusal

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class CheckFailed(NotPermitted):
    """A check says no, and `reason` is the stable code for it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class NothingToCheck(CheckFailed):
    """What the check is about is not there: a failure, unless the policy excuses its absence."""


class CannotTell(NothingToCheck):
    """What the check needs is not here, so it says neither yes nor no (VC JSON Schema 1.0 §4.2)."""


def reason_of(refusal: Refusal) -> str:
    """The stable code of a refusal: its own, or its class name (`SignatureNotValid` gives
    `signature_not_valid`)."""
    own = getattr(refusal, "reason", None)
    return own if isinstance(own, str) else _WORD_START.sub("_", type(refusal).__name__).lower()
