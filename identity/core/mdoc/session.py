"""What a device signs for: the session transcript of OpenID4VP by redirect (1.0, B.2.6.1)."""

from dataclasses import dataclass
from typing import Any

import cbor2

from registry.core.hashing import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One request, as the device's signature is bound to it.

    Args:
        client_id: with its prefix.
        key_thumbprint: RFC 7638 thumbprint of the key that the answer is encrypted to, 32 bytes;
            empty when it comes in plain form.
    """

    client_id: str
    nonce: str
    response_uri: str
    key_thumbprint: bytes


def session_transcript(handover: Handover) -> list[Any]:
    """`SessionTranscript`: no engagement, no reader key, and a digest over the request."""
    info = [
        handover.client_id,
        handover.nonce,
        handover.key_thumbprint or None,
        handover.response_uri,
    ]
    return [None, None, ["OpenID4VPHandover", sha256(cbor2.dumps(info))]]
