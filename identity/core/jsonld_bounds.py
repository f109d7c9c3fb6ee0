"""Bounds on JSON-LD documents, applied before a processor sees them."""

from collections import Counter
from typing import Any

from registry.core.encoding import MAX_JSON_DEPTH, JsonObject
from registry.core.refusals import Malformed

MAX_VALUES = 20_000  # objects, arrays and scalars of a document; bounds expansion, about 1 s
MAX_COMPARISONS = 500_000  # of values for equality, 0.3 s; a thousand values of one property
MAX_CONTEXTS = 128  # contexts named or embedded in a document; a presentation of twenty has 60
MAX_CONTEXT_VALUES = 4_000  # values inside embedded contexts; credentials v2 itself has some 300
MAX_TERMS_DEFINED = 50_000  # while expanding, 0.5 s; twenty credentials in a presentation: 5,000
MAX_TERMS_COPIED = 2_000_000  # each context in force is a copy of the one around it; 0.1 s
# What one request may cost in all its documents together. Each is expanded about twice, to find
# what would be lost and to be signed over; what is counted here takes some 2 s.
MAX_REQUEST_VALUES = 50_000
MAX_REQUEST_TERMS = 60_000  # defined
MAX_REQUEST_COPIES = 3_000_000  # of terms
MAX_REQUEST_QUADS = 30_000
MAX_REQUEST_STEPS = 120_000  # of telling blank nodes apart
MAX_REQUEST_TEMPLATES = 2  # made, of up to five expansions of a thousand values each
# What making them may cost, as a share of the above and beside it: whether somebody else made the
# template before must change no verdict.
TEMPLATE_SHARE = 4

_MAX_SAFE_INTEGER = (1 << 53) - 1  # beyond it, processors written in JavaScript read other numbers


class JsonLdRefused(Malformed):
    """The document is no JSON-LD that can be secured without loss."""


class Work:
    """What a request has cost so far: counted and not timed, so no verdict hangs on the machine."""

    def __init__(self, *, share: int = 1) -> None:
        """Nothing was spent yet of one part in `share` of what a request may cost."""
        self._left = {
            "values": MAX_REQUEST_VALUES // share,
            "terms": MAX_REQUEST_TERMS // share,
            "copies": MAX_REQUEST_COPIES // share,
            "quads": MAX_REQUEST_QUADS // share,
            "steps": MAX_REQUEST_STEPS // share,
        }

    def spend(self, **costs: int) -> None:
        """Count what is about to be done, or was.

        Raises:
            JsonLdRefused: it is more than one request may cost.
        """
        for name, cost in costs.items():
            self._left[name] -= cost
            if self._left[name] < 0:
                raise JsonLdRefused("documents of one request take too much work")


class Unbounded(Work):
    """For what the installation does of its own accord."""

    def spend(self, **costs: int) -> None:
        """Nothing is counted."""


def count_values(value: Any) -> int:
    """Objects, arrays and scalars of an expanded document."""
    if isinstance(value, dict):
        return 1 + sum(count_values(member) for member in value.values())
    if isinstance(value, list):
        return 1 + sum(count_values(item) for item in value)
    return 1


def prepare(document: JsonObject) -> tuple[JsonObject, int, int]:
    """Bound a document before the processor sees it, and give numbers their JavaScript reading.

    Returns:
        The document, ready for PyLD, the number of nulls outside contexts, and that of values.
    """
    if not isinstance(document, dict):
        raise JsonLdRefused("document is not an object")
    budget = _Budget()
    return budget.copy(document, 1), budget.nulls, budget.values


def bound_comparisons(expanded: list[Any]) -> None:
    """Refuse an expanded document whose node map would take too long.

    The node map is a set: a processor compares each value of a property with every other value
    that the same node has there (JSON-LD 1.1 API §7.2.1). Nodes of one name are one node.

    Raises:
        JsonLdRefused: more than `MAX_COMPARISONS` comparisons.
    """
    values: Counter[tuple[object, str]] = Counter()
    _count_property_values(expanded, values)
    if sum(count * count // 2 for count in values.values()) > MAX_COMPARISONS:
        raise JsonLdRefused("document has too many values of one property")


def _count_property_values(value: Any, values: Counter[tuple[object, str]]) -> None:
    if isinstance(value, list):
        for item in value:
            _count_property_values(item, values)
        return
    if not isinstance(value, dict) or "@value" in value:
        return
    # A name of the document's own making is a text, and a node without one is no other node.
    node = value.get("@id", id(value))
    for name, member in value.items():
        if name == "@reverse":  # each of them may be a node of one name
            for reverse, nodes in member.items():
                values["@reverse", reverse] += len(nodes)
                _count_property_values(nodes, values)
        elif isinstance(member, list):
            if name != "@list":  # a list keeps equal values
                values[node, name] += len(member)
            _count_property_values(member, values)


class _Budget:
    """Counts while it copies."""

    def __init__(self) -> None:
        self.nulls = 0
        self.values = 0
        self._contexts = 0
        self._context_values = 0

    def copy(self, value: Any, depth: int) -> Any:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_JSON_DEPTH:
            raise JsonLdRefused("document has too many values, or nests too deep")
        if isinstance(value, dict):
            result = {}
            for name, member in value.items():
                if name == "@context":
                    self._count_contexts(member, depth)
                    result[name] = member
                else:
                    result[name] = self.copy(member, depth + 1)
            return result
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value]
        if value is None:
            self.nulls += 1
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
            value = int(value)  # JSON has one kind of number: 5.0 is the integer 5
        if isinstance(value, int) and abs(value) > _MAX_SAFE_INTEGER:
            raise JsonLdRefused("document has a number beyond 2^53")
        return value

    def _count_contexts(self, context: Any, depth: int) -> None:
        self._contexts += len(context) if isinstance(context, list) else 1
        if self._contexts > MAX_CONTEXTS:
            raise JsonLdRefused(f"document has more than {MAX_CONTEXTS} contexts")
        self._count_context_values(context, depth)

    def _count_context_values(self, value: Any, depth: int) -> None:
        self._context_values += 1
        if self._context_values > MAX_CONTEXT_VALUES or depth > MAX_JSON_DEPTH:
            raise JsonLdRefused("embedded contexts are too large, or nest too deep")
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                self._count_context_values(item, depth + 1)


def count_nulls(value: Any) -> int:
    if isinstance(value, dict):
        return sum(count_nulls(member) for member in value.values())
    if isinstance(value, list):
        return sum(count_nulls(item) for item in value)
    return 1 if value is None else 0
