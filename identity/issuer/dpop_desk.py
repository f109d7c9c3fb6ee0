"""DPoP at every endpoint: proofs once, server nonces offered, and demanded where an agency says so.

RFC 9449 §8 and §9. Proofs and nonces are remembered in the database, so that one flow may meet many
instances. A proof without a nonce is accepted unless the agency demands DPoP: some wallets do not
retry. A nonce that is not ours, or too old, is answered with a fresh one.
"""

from datetime import datetime
from threading import Lock

from identity.core.dpop import WINDOW_SECONDS, VerifiedDpop, verify_dpop
from identity.core.offers import SecretMalformed, new_secret, secret_digest
from identity.core.oid4vci_errors import InvalidDpopProof, UseDpopNonce
from identity.issuer.parts import IssuerParts

NONCE_SECONDS = 300  # how long a nonce is good
RENEW_SECONDS = 60  # how long one process hands the same nonce out


class DpopDesk:
    """Checks proofs and hands out nonces."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts
        self._lock = Lock()
        self._current: dict[str, tuple[int, str]] = {}

    def check(
        self, slug: str, proof: str, *, path: str, token: str | None, now: datetime
    ) -> VerifiedDpop:
        """Check a proof for a POST to `path` below the issuer.

        Raises:
            InvalidDpopProof: it does not verify, or came before.
            UseDpopNonce: its nonce is missing where one is demanded, unknown or too old.
        """
        seconds = int(now.timestamp())
        url = f"{self._parts.agency(slug).issuer_url}{path}"
        verified = verify_dpop(proof, method="POST", url=url, access_token=token, now=seconds)
        if verified.nonce is None:
            if self._parts.options(slug).dpop_required:
                raise UseDpopNonce("a DPoP proof needs the nonce of the DPoP-Nonce header")
        elif not self._is_ours(slug, verified.nonce, seconds=seconds):
            raise UseDpopNonce("the nonce of the DPoP proof is not ours, or too old")
        fresh = self._parts.offers.claim_nonce(
            slug, "dpop-jti", verified.replay_digest, expires_at=seconds + 2 * WINDOW_SECONDS
        )
        if not fresh:
            raise InvalidDpopProof("DPoP proof: it was used before")
        return verified

    def nonce(self, slug: str, *, now: datetime) -> str:
        """A nonce for the `DPoP-Nonce` header; good at every instance."""
        seconds = int(now.timestamp())
        with self._lock:
            made, nonce = self._current.get(slug, (0, ""))
            if 0 <= seconds - made < RENEW_SECONDS:
                return nonce
            nonce = new_secret(self._parts.random)
            self._parts.offers.add_nonce(
                slug,
                "dpop-nonce",
                secret_digest("dpop-nonce", nonce),
                expires_at=seconds + NONCE_SECONDS,
            )
            self._current[slug] = (seconds, nonce)
            return nonce

    def _is_ours(self, slug: str, nonce: str, *, seconds: int) -> bool:
        try:
            digest = secret_digest("dpop-nonce", nonce)
        except SecretMalformed:
            return False
        return self._parts.offers.has_nonce(slug, "dpop-nonce", digest, now=seconds)
