"""What is wrong with a request of the VC API, by the types that the specifications define."""

from identity.core.data_integrity.selection import PointerLeadsNowhere
from registry.core.encoding import MAX_JSON_BYTES, JsonObject, parse_json_object
from registry.core.refusals import Malformed, Refusal

VCDM_PROBLEMS = "https://www.w3.org/TR/vc-data-model#"  # VC Data Model 2.0 §7.2
SECURITY_PROBLEMS = "https://w3id.org/security#"  # VC Data Integrity 1.0 §4.7
MALFORMED_VALUE_ERROR = f"{VCDM_PROBLEMS}MALFORMED_VALUE_ERROR"
_PARSING_ERROR = f"{VCDM_PROBLEMS}PARSING_ERROR"
_PROOF_GENERATION_ERROR = f"{SECURITY_PROBLEMS}PROOF_GENERATION_ERROR"


class BodyNotParsed(Malformed):
    """The body is no JSON object at all, or one that no two readers would read alike."""


def parse_request(body: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> JsonObject:
    """The body of a request.

    Raises:
        BodyNotParsed: it is none, or longer than `max_bytes`.
    """
    try:
        return parse_json_object(body, max_bytes=max_bytes)
    except Malformed as refusal:
        raise BodyNotParsed(refusal.detail) from refusal


def type_of(refusal: Refusal) -> str:
    """The type of the problem that a refused request gets, a URL."""
    if isinstance(refusal, BodyNotParsed):
        return _PARSING_ERROR
    if isinstance(refusal, PointerLeadsNowhere):  # VC DI ECDSA 1.0 §3.4.12
        return _PROOF_GENERATION_ERROR
    return MALFORMED_VALUE_ERROR
