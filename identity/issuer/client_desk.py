"""Which wallet asks, where an agency wants that attested; at the push and at the token endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from identity.core.client_attestation import verify_client_attestation
from identity.core.oid4vci_errors import InvalidClient
from identity.issuer.parts import IssuerParts

ATTESTATION_HEADER = "OAuth-Client-Attestation"
POP_HEADER = "OAuth-Client-Attestation-PoP"


@dataclass(frozen=True, slots=True)
class ClientHeaders:
    """Every value of the two headers, as they came."""

    attestations: Sequence[str]
    proofs: Sequence[str]


class ClientDesk:
    """Checks attestations of wallets, each proof once."""

    def __init__(self, parts: IssuerParts) -> None:
        self._parts = parts

    def check(
        self, slug: str, headers: ClientHeaders, *, client_id: str | None, now: datetime
    ) -> str | None:
        """Let a wallet go on, or not.

        Where the agency trusts no provider, nothing is looked at: there is nobody to believe.

        Returns:
            The client that is attested, which the request need not name itself; None: none is.

        Raises:
            InvalidClient: it must be attested and is not, or does not prove it.
        """
        agency = self._parts.agency(slug)
        trust = self._parts.options(slug).clients
        if trust is None:
            return None
        if not headers.attestations and not headers.proofs:
            if trust.required:
                raise InvalidClient("this agency issues to attested wallets only")
            return None
        if len(headers.attestations) != 1 or len(headers.proofs) != 1:
            raise InvalidClient(f"{ATTESTATION_HEADER} and {POP_HEADER} come once each, together")
        client = verify_client_attestation(
            headers.attestations[0],
            headers.proofs[0],
            trust.attesters,
            issuer_url=agency.issuer_url,
            client_id=client_id,
            now=int(now.timestamp()),
        )
        fresh = self._parts.offers.claim_nonce(
            slug, "client-jti", client.replay_digest, expires_at=client.expires_at
        )
        if not fresh:
            raise InvalidClient("client attestation proof: it was used before")
        return client.client_id
