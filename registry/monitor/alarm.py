"""What a monitor cries out, with what anybody needs to see that it is right."""

from dataclasses import dataclass
from enum import StrEnum

from registry.core.encoding import JsonObject, base64url_encode, canonical_json, parse_json

TYPE = "cairn-evidence/1"
MAX_ENTRIES_SHOWN = 512  # of one block; a block has at most 256
MAX_DETAIL_CHARS = 300


class Kind(StrEnum):
    """What was seen."""

    FORK = "fork"  # two signed heads contradict each other
    REWRITE = "rewrite"  # what was served before is not what is served now
    SHRINKING = "shrinking"  # a signed head is older than one already seen
    WRONG_STATE_ROOT = "wrong-state-root"  # the rules give another state than was signed
    BAD_ENTRY = "bad-entry"  # an entry under a signed head is one that the rules refuse
    WITHHELD = "withheld"  # entries or heads under a signed head are not served
    UNSIGNED_HEAD = "unsigned-head"  # a head without the signatures of the trust anchor
    UNWITNESSED = "unwitnessed"  # the witnesses' quorum is missing for too long, or is false
    STALLED = "stalled"  # nothing new for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves the alarm: signed heads, and the entries between them where those decide."""

    heads: tuple[str, ...] = ()  # as they were served, the older first
    entries: tuple[bytes, ...] = ()
    path: tuple[bytes, ...] = ()  # the consistency or inclusion path that did not lead there


class Alarm(Exception):
    """The registry is not what it says. It is no refusal: nobody asked it anything."""

    def __init__(self, kind: Kind, detail: str, evidence: Evidence | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail[:MAX_DETAIL_CHARS]
        self.evidence = evidence or Evidence()

    def to_object(self, *, network: str, seen_at: int) -> JsonObject:
        """The evidence file."""
        return {
            "type": TYPE,
            "network": network,
            "kind": str(self.kind),
            "detail": self.detail,
            "seen_at": seen_at,
            "heads": list(self.evidence.heads),
            "entries": [
                parse_json(data, max_bytes=len(data))
                for data in self.evidence.entries[:MAX_ENTRIES_SHOWN]
            ],
            "path": [base64url_encode(item) for item in self.evidence.path],
        }

    def encode(self, *, network: str, seen_at: int) -> bytes:
        """The evidence file's bytes."""
        return canonical_json(self.to_object(network=network, seen_at=seen_at)) + b"\n"
