"""Access keys of institutions, compared by digest."""

import hmac
from collections.abc import Mapping

from identity.core.access import AccessDenied
from registry.core.hashing import labelled_hash


def access_key_digest(key: str) -> bytes:
    """Digest under which an access key is kept: 32 bytes.

    Access keys have 256 random bits, so one hash is enough; a slow one would only help guessable
    secrets.
    """
    return labelled_hash("cairn/access-key/v1", key.encode("utf-8"))


class DigestAccessKeys:
    """Access keys known by their digests; a scope without a digest is closed to everybody."""

    def __init__(self, digests: Mapping[str, bytes]) -> None:
        self._digests = dict(digests)

    def check(self, scope: str, presented: str | None) -> None:
        """As `AccessKeys.check`; constant time in the presented key."""
        expected = self._digests.get(scope)
        if expected is None or not presented:
            raise AccessDenied("an access key for this institution is required")
        if not hmac.compare_digest(expected, access_key_digest(presented)):
            raise AccessDenied("the access key does not open this institution")


class UnsafeOpenAccess:
    """Lets everybody in. For conformance runs only; configuration must say so in as many words."""

    def check(self, scope: str, presented: str | None) -> None:
        """Accept."""
