"""What a reader pins, and all it trusts: the network, the keys of its heads, and its root DIDs."""

import re
from dataclasses import dataclass
from typing import Any

from registry.core.encoding import JsonObject
from registry.core.network import parse_network_name
from registry.core.proofs import parse_number
from registry.core.refusals import Malformed
from registry.core.signed_note import VerifierKey, parse_verifier_key

TYPE = "cairn-trust-anchor/1"

MAX_HEAD_KEYS = 64  # one for each consortium member
MAX_ROOTS = 64

_BASE58_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{1,64}")


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """The network's name, who signs its heads, and where accreditation begins."""

    network: str
    head_keys: tuple[VerifierKey, ...]
    threshold: int  # how many distinct head keys must have signed
    roots: tuple[str, ...]  # DIDs of the genesis members

    def __post_init__(self) -> None:
        """Refuse an anchor that would trust nobody, or count one key twice.

        Raises:
            Malformed: no keys, a repeated key, a threshold out of reach, no roots, a repeated root,
                or a root that is no DID of this network.
        """
        parse_network_name(self.network)
        if not 1 <= len(self.head_keys) <= MAX_HEAD_KEYS:
            raise Malformed(f"trust anchor needs 1 to {MAX_HEAD_KEYS} head keys")
        if len({key.key for key in self.head_keys}) != len(self.head_keys):
            raise Malformed("trust anchor names a head key twice")
        parse_number(self.threshold, least=1, most=len(self.head_keys))
        if not 1 <= len(self.roots) <= MAX_ROOTS or len(set(self.roots)) != len(self.roots):
            raise Malformed(f"trust anchor needs 1 to {MAX_ROOTS} different roots")
        for root in self.roots:
            prefix = f"did:cairn:{self.network}:"
            if not root.startswith(prefix) or not _BASE58_ID.fullmatch(root.removeprefix(prefix)):
                raise Malformed("a root is not a DID of the network")


def parse_trust_anchor(value: Any) -> TrustAnchor:
    """Read a trust anchor from its JSON form.

    Raises:
        Malformed: a member is missing, unknown or not of its form, or as `TrustAnchor`.
    """
    if not isinstance(value, dict) or value.keys() != {"type", "network", "heads", "roots"}:
        raise Malformed("trust anchor has exactly type, network, heads and roots")
    if value["type"] != TYPE:
        raise Malformed(f"type is not {TYPE}")
    heads = value["heads"]
    if not isinstance(heads, dict) or heads.keys() != {"keys", "threshold"}:
        raise Malformed("heads has exactly keys and threshold")
    keys = _strings(heads["keys"], most=MAX_HEAD_KEYS)
    return TrustAnchor(
        network=parse_network_name(value["network"]),
        head_keys=tuple(parse_verifier_key(key) for key in keys),
        threshold=parse_number(heads["threshold"], least=1, most=MAX_HEAD_KEYS),
        roots=_strings(value["roots"], most=MAX_ROOTS),
    )


def trust_anchor_json(anchor: TrustAnchor) -> JsonObject:
    """The JSON form of a trust anchor; `parse_trust_anchor` reads it."""
    return {
        "type": TYPE,
        "network": anchor.network,
        "heads": {
            "keys": [key.text for key in anchor.head_keys],
            "threshold": anchor.threshold,
        },
        "roots": list(anchor.roots),
    }


def _strings(value: Any, *, most: int) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or len(value) > most
        or not all(isinstance(item, str) for item in value)
    ):
        raise Malformed(f"not a list of at most {most} strings")
    return tuple(value)
