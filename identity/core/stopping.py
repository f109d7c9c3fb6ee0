"""The stop of issuing: one person stops it, two together let it go on. Pure.

Stopping must be easy: a key may be in a thief's hands right now. Resuming must not be, for a thief
would do it too.
"""

from collections.abc import Collection, Mapping

from registry.core.keys import PublicKey, SignatureNotValid, verify_signature
from registry.core.refusals import NotPermitted, Unavailable

EVERYBODY = "*"  # scope of a stop that holds for every agency
RESUMERS = 2  # distinct keys that must have signed


class IssuingStopped(Unavailable):
    """Issuing was stopped by the operator, for this agency or for all; nothing was issued."""


class NotAResumer(NotPermitted):
    """The key is none of those that the settings name, or did not sign this stop's resumption."""


def resumption_message(stop: str, scope: str) -> bytes:
    """What is signed to let issuing go on after the stop with this id."""
    return b"cairn-resume-issuing/1\0" + stop.encode("ascii") + b"\0" + scope.encode("ascii")


def verify_resumption(
    *, stop: str, scope: str, multikey: str, signature: bytes, known: Mapping[str, PublicKey]
) -> None:
    """Check one person's signature.

    Args:
        known: keys that may resume, by multikey.

    Raises:
        NotAResumer: not one of them, or the signature is not hers, or for another stop.
    """
    key = known.get(multikey)
    if key is None:
        raise NotAResumer("the settings do not name this key among those that resume issuing")
    try:
        verify_signature(key, message=resumption_message(stop, scope), signature=signature)
    except SignatureNotValid as error:
        raise NotAResumer("the signature is not for this stop") from error


def is_resumed(signers: Collection[str]) -> bool:
    """Whether enough distinct keys have signed."""
    return len(set(signers)) >= RESUMERS
