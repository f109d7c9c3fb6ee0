"""What the ledger anchors of a credential: a salted digest of its content.

Content is what the issuer said, without what secures it: a VCDM credential without `proof`, or the
JWT payload of an SD-JWT VC (whose selectively disclosable claims are digests already). Signatures
stay out, since an ECDSA signature has a twin that verifies as well. The salt is part of the
content, so whoever is shown a credential can find its anchor and nobody else can guess one.
"""

from dataclasses import dataclass

from registry.core.encoding import JsonObject, base64url_decode, base64url_encode, canonical_json
from registry.core.hashing import labelled_hash
from registry.core.refusals import Malformed

SALT_BYTES = 32  # as long as the digest, so that guessing content never beats guessing the salt
BATCH_BYTES = 16
ANCHOR = "anchor"
ANCHOR_TYPE = "CairnAnchor"  # in VCDM documents, where the JSON-LD context defines it

_LABEL = "cairn/credential/v1"
_MAX_NETWORK_CHARS = 32


class AnchorClaimMalformed(Malformed):
    """The credential has no `anchor`, or one that cannot be ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorClaim:
    """Where a credential says it is anchored."""

    salt: bytes  # 32 random bytes
    batch: str  # base64url of 16 bytes, chosen before the batch is sealed
    network: str

    def to_json(self, *, vcdm: bool) -> JsonObject:
        """The member `anchor`; in a VCDM document it has a type."""
        claim: JsonObject = {
            "salt": base64url_encode(self.salt),
            "batch": self.batch,
            "network": self.network,
        }
        return {"type": ANCHOR_TYPE, **claim} if vcdm else claim


def credential_digest(content: JsonObject, salt: bytes) -> bytes:
    """Digest of a credential's content, 32 bytes; the leaf of its anchor batch.

    A member `proof` is left out, so a secured VCDM document may be passed as it is.

    Raises:
        Malformed: `salt` is not 32 bytes long, or the content is no canonical JSON.
    """
    if len(salt) != SALT_BYTES:
        raise Malformed(f"salt is not {SALT_BYTES} bytes long")
    unsecured = {name: value for name, value in content.items() if name != "proof"}
    return labelled_hash(_LABEL, salt, canonical_json(unsecured))


def anchor_claim(content: JsonObject) -> AnchorClaim:
    """Read the member `anchor` of a credential's content (either format).

    Raises:
        AnchorClaimMalformed: absent, unknown or missing members, or a value of another length.
    """
    claim = content.get(ANCHOR)
    if not isinstance(claim, dict):
        raise AnchorClaimMalformed("credential has no anchor")
    members = {name: value for name, value in claim.items() if name != "type"}
    if claim.get("type", ANCHOR_TYPE) != ANCHOR_TYPE or set(members) != {
        "salt",
        "batch",
        "network",
    }:
        raise AnchorClaimMalformed("anchor has other members than salt, batch and network")
    network = members["network"]
    if not isinstance(network, str) or not 1 <= len(network) <= _MAX_NETWORK_CHARS:
        raise AnchorClaimMalformed("anchor names no network")
    try:
        salt, batch = base64url_decode(members["salt"]), base64url_decode(members["batch"])
    except Malformed as error:
        raise AnchorClaimMalformed(f"anchor: {error.detail}") from error
    if (len(salt), len(batch)) != (SALT_BYTES, BATCH_BYTES):
        raise AnchorClaimMalformed("anchor salt or batch has the wrong length")
    return AnchorClaim(salt=salt, batch=members["batch"], network=network)
