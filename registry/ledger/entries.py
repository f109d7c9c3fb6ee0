"""The log entry: what the leaves of the log are made of, for engines that write and for audits."""

from dataclasses import dataclass

from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import integer, members
from registry.core.refusals import Malformed

MAX_ENTRY_BYTES = 1 << 20  # a transaction of 256 KiB, or a genesis, with two numbers around it


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One applied transaction, or the genesis as entry 0, with its block."""

    height: int
    time: int  # Unix seconds, of the block
    transaction: JsonObject | None  # {"payload", "signatures"}
    genesis: JsonObject | None  # entry 0 alone has one, and it has no transaction

    def encode(self) -> bytes:
        """The bytes under the leaf hash: canonical JSON."""
        subject = (
            {"transaction": self.transaction} if self.genesis is None else {"genesis": self.genesis}
        )
        return canonical_json({"height": self.height, "time": self.time, **subject})

    @staticmethod
    def encode_applied(*, height: int, time: int, raw: bytes) -> bytes:
        """The same bytes, from those of a transaction, which are canonical JSON already."""
        return b'{"height":%d,"time":%d,"transaction":%b}' % (height, time, raw)

    @classmethod
    def parse(cls, data: bytes) -> "LogEntry":
        """Read an entry.

        Raises:
            Malformed: not canonical JSON, or of another shape.
        """
        value = parse_json_object(data, max_bytes=MAX_ENTRY_BYTES)
        subject = "genesis" if "genesis" in value else "transaction"
        found = members(value, "log entry", required=("height", "time", subject))
        if canonical_json(value) != data:
            raise Malformed("log entry is not canonical JSON")
        if not isinstance(found[subject], dict):
            raise Malformed(f"the {subject} of a log entry is not an object")
        return cls(
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
            transaction=found.get("transaction"),
            genesis=found.get("genesis"),
        )
