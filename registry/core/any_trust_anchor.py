"""Trust anchors of both forms: an operator's, and a consortium's."""

from registry.core import consortium_anchor
from registry.core.consortium_anchor import (
    ConsortiumAnchor,
    consortium_anchor_json,
    parse_consortium_anchor,
)
from registry.core.encoding import JsonObject
from registry.core.trust_anchor import TrustAnchor, operator_anchor_json, parse_operator_anchor

AnyTrustAnchor = TrustAnchor | ConsortiumAnchor


def parse_trust_anchor(value: object) -> AnyTrustAnchor:
    """Read a trust anchor of either form.

    Raises:
        Malformed: a member is missing, unknown or not of its form, or as the anchors themselves.
    """
    if isinstance(value, dict) and value.get("type") == consortium_anchor.TYPE:
        return parse_consortium_anchor(value)
    return parse_operator_anchor(value)


def trust_anchor_json(anchor: AnyTrustAnchor) -> JsonObject:
    """The JSON form of a trust anchor; `parse_trust_anchor` reads it."""
    if isinstance(anchor, ConsortiumAnchor):
        return consortium_anchor_json(anchor)
    return operator_anchor_json(anchor)
