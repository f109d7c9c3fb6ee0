"""What a reader pins, and all it trusts: the network, the keys of its heads, and its root DIDs.

It may also name witnesses. Then a head counts only when enough of them have co-signed it.
"""

from dataclasses import dataclass

from registry.core.cosignature import MAX_WITNESSES, Witnesses, parse_witness_key
from registry.core.encoding import JsonObject
from registry.core.fields import choice, integer, items, members
from registry.core.identifiers import network_of, read_did
from registry.core.network import parse_network_name
from registry.core.refusals import Malformed
from registry.core.signed_note import VerifierKey, parse_verifier_key

TYPE = "cairn-trust-anchor/1"

MAX_HEAD_KEYS = 64  # one for each consortium member
MAX_ROOTS = 64


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """The network's name, who signs and who co-signs its heads, and where accreditation begins."""

    network: str
    head_keys: tuple[VerifierKey, ...]
    threshold: int  # how many distinct head keys must have signed
    roots: tuple[str, ...]  # DIDs of the genesis members
    witnesses: Witnesses | None = None  # None: heads need no co-signature

    def __post_init__(self) -> None:
        """Refuse an anchor that would trust nobody, or count one key twice.

        Raises:
            Malformed: no keys, a repeated key, a threshold out of reach, no roots, a repeated root,
                a root that is no DID of this network, or a witness whose key signs heads.
        """
        parse_network_name(self.network)
        if not 1 <= len(self.head_keys) <= MAX_HEAD_KEYS:
            raise Malformed(f"trust anchor needs 1 to {MAX_HEAD_KEYS} head keys")
        if len({key.key for key in self.head_keys}) != len(self.head_keys):
            raise Malformed("trust anchor names a head key twice")
        integer(self.threshold, "threshold", low=1, high=len(self.head_keys))
        if not 1 <= len(self.roots) <= MAX_ROOTS or len(set(self.roots)) != len(self.roots):
            raise Malformed(f"trust anchor needs 1 to {MAX_ROOTS} different roots")
        if any(network_of(root) != self.network for root in self.roots):
            raise Malformed("a root is not a DID of the network")
        if self.witnesses is not None and (
            {key.key for key in self.witnesses.keys} & {key.key for key in self.head_keys}
        ):  # it would vouch for itself
            raise Malformed("a key that signs heads is no witness")


def parse_operator_anchor(value: object) -> TrustAnchor:
    """Read an operator's anchor from its JSON form.

    Raises:
        Malformed: a member is missing, unknown or not of its form, or as `TrustAnchor`.
    """
    found = members(
        value,
        "trust anchor",
        required=("type", "network", "heads", "roots"),
        optional=("witnesses",),
    )
    choice(found["type"], "type", [TYPE])
    heads = members(found["heads"], "heads", required=("keys", "threshold"))
    return TrustAnchor(
        network=parse_network_name(found["network"]),
        head_keys=items(
            heads["keys"], "head keys", low=1, high=MAX_HEAD_KEYS, read=parse_verifier_key
        ),
        threshold=integer(heads["threshold"], "threshold", low=1, high=MAX_HEAD_KEYS),
        roots=items(
            found["roots"], "roots", low=1, high=MAX_ROOTS, read=lambda item: read_did(item, "root")
        ),
        witnesses=parse_witnesses(found["witnesses"]) if "witnesses" in found else None,
    )


def operator_anchor_json(anchor: TrustAnchor) -> JsonObject:
    """The JSON form of an operator's anchor; `parse_operator_anchor` reads it."""
    result: JsonObject = {
        "type": TYPE,
        "network": anchor.network,
        "heads": {
            "keys": [key.text for key in anchor.head_keys],
            "threshold": anchor.threshold,
        },
        "roots": list(anchor.roots),
    }
    if anchor.witnesses is not None:
        result["witnesses"] = witnesses_json(anchor.witnesses)
    return result


def witnesses_json(witnesses: Witnesses) -> JsonObject:
    """The JSON form of a quorum; `parse_witnesses` reads it."""
    return {
        "keys": [key.text for key in witnesses.keys],
        "threshold": witnesses.threshold,
    }


def parse_witnesses(value: object) -> Witnesses:
    """Read who must co-sign heads.

    Raises:
        Malformed: a member is missing, unknown or not of its form, or as `Witnesses`.
    """
    found = members(value, "witnesses", required=("keys", "threshold"))
    return Witnesses(
        keys=items(
            found["keys"], "witness keys", low=1, high=MAX_WITNESSES, read=parse_witness_key
        ),
        threshold=integer(found["threshold"], "threshold", low=1, high=MAX_WITNESSES),
    )
