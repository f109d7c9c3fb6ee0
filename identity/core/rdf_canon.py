"""RDF Dataset Canonicalization (RDFC-1.0, https://www.w3.org/TR/rdf-canon/), with a budget.

Our own, for three reasons: the work is counted, so that a poison graph ends in a refusal instead of
holding a processor for hours (native implementations cannot be interrupted); it tells which blank
node got which name, which selective disclosure needs; and it escapes as Canonical N-Quads demand.
The published tests and an independent implementation hold it to the specification.

A term is its Canonical N-Quads text: `<iri>`, `"literal"`, `"1"^^<iri>`, `"text"@en`, `_:b0`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from registry.core.refusals import Malformed

Quad = tuple[str, str, str, str]  # subject, predicate, object, graph name ("" is the default graph)

MAX_QUADS = 10_000  # a presentation with twenty credentials of fifty claims stays below 2,000
MAX_BLANK_NODES = 500
MAX_DEPTH = (
    100  # look-alikes in a row, such as a list of equal values; two frames of the stack each
)
MAX_STEPS = 100_000  # related blank nodes looked at, about 1 s; credentials in the field need none

_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
_ESCAPES = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}
_ESCAPED = re.compile(r'[\x00-\x1f\x7f"\\]')
_IRI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"{}|^`\\]+')
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_HASHES: Mapping[str, Callable[[bytes], "hashlib._Hash"]] = {
    "sha256": hashlib.sha256,
    "sha384": hashlib.sha384,
}


class DatasetNotCanonicalised(Malformed):
    """The dataset has a term that RDF does not know, or takes more work than we spend."""


@dataclass(frozen=True, slots=True)
class CanonicalDataset:
    """A dataset in canonical form."""

    lines: tuple[str, ...]  # sorted N-Quads, each with its newline
    identifiers: Mapping[str, str]  # blank node as it came in ("_:b0") -> canonical ("_:c14n0")
    steps: int = 0  # what telling blank nodes apart took, of `MAX_STEPS`

    @property
    def nquads(self) -> str:
        """The canonical form as one text."""
        return "".join(self.lines)


def is_absolute_iri(value: object) -> bool:
    """Whether `value` is an IRI with a scheme, and without what N-Quads cannot hold in one."""
    return isinstance(value, str) and _IRI.fullmatch(value) is not None


def is_language_tag(value: object) -> bool:
    """Whether `value` has the form of a language tag (RFC 5646 §2.2.9, well-formed)."""
    return isinstance(value, str) and _LANGUAGE.fullmatch(value) is not None


def iri(value: str) -> str:
    """The term of an absolute IRI; raises `DatasetNotCanonicalised` for anything else."""
    if not is_absolute_iri(value):
        raise DatasetNotCanonicalised("not an absolute IRI")
    return f"<{value}>"


def literal(value: str, *, datatype: str = _XSD_STRING, language: str | None = None) -> str:
    """The term of a literal; a language makes the datatype `rdf:langString`."""
    quoted = '"' + _ESCAPED.sub(_escape, value) + '"'
    if language is not None:
        if not is_language_tag(language):
            raise DatasetNotCanonicalised("not a language tag")
        return f"{quoted}@{language}"
    return quoted if datatype == _XSD_STRING else f"{quoted}^^{iri(datatype)}"


def line(quad: Quad) -> str:
    """One quad as a line of N-Quads."""
    return " ".join(term for term in quad if term) + " .\n"


def canonicalise(quads: Iterable[Quad], *, hash_name: str = "sha256") -> CanonicalDataset:
    """Name the blank nodes canonically and sort (RDFC-1.0 §4.4.3).

    Args:
        quads: the dataset; repetitions collapse.
        hash_name: "sha256" or "sha384".

    Raises:
        DatasetNotCanonicalised: more than `MAX_QUADS`, `MAX_BLANK_NODES`, or `MAX_STEPS` of work.
    """
    dataset = list(dict.fromkeys(quads))
    if len(dataset) > MAX_QUADS:
        raise DatasetNotCanonicalised(f"dataset has more than {MAX_QUADS} quads")
    work = _Canonicaliser(dataset, hash_name)
    issued = work.run()
    lines = sorted(line(_renamed(quad, lambda node: "_:" + issued[node])) for quad in dataset)
    return CanonicalDataset(
        tuple(lines), {node: "_:" + identifier for node, identifier in issued.items()}, work.steps
    )


@dataclass(slots=True)
class _Issuer:
    """Issues identifiers in order (§4.5)."""

    prefix: str
    issued: dict[str, str] = field(default_factory=dict)

    def issue(self, node: str) -> str:
        return self.issued.setdefault(node, f"{self.prefix}{len(self.issued)}")

    def copy(self) -> "_Issuer":
        return _Issuer(self.prefix, dict(self.issued))


class _Canonicaliser:
    """The canonicalization state (§4.2). Step numbers are the specification's."""

    def __init__(self, dataset: list[Quad], hash_name: str) -> None:
        self._hasher = _HASHES[hash_name]
        self._quads: dict[str, list[Quad]] = {}
        for quad in dataset:
            for node in dict.fromkeys(term for _, term in _blank_terms(quad)):
                self._quads.setdefault(node, []).append(quad)
        if len(self._quads) > MAX_BLANK_NODES:
            raise DatasetNotCanonicalised(f"dataset has more than {MAX_BLANK_NODES} blank nodes")
        self._canonical = _Issuer("c14n")
        self._first_degree: dict[str, str] = {}
        self._related: dict[str, list[tuple[str, str]]] = {}
        self.steps = 0
        self._depth = 0

    def run(self) -> dict[str, str]:
        by_hash: dict[str, list[str]] = {}
        for node in self._quads:  # step 3
            self._first_degree[node] = self._hash_first_degree(node)
            by_hash.setdefault(self._first_degree[node], []).append(node)
        shared = []
        for digest in sorted(by_hash):  # step 4
            if len(by_hash[digest]) == 1:
                self._canonical.issue(by_hash[digest][0])
            else:
                shared.append(by_hash[digest])
        for nodes in shared:  # step 5, still in the order of the hashes
            results = []
            for node in nodes:
                if node not in self._canonical.issued:
                    issuer = _Issuer("b")
                    issuer.issue(node)
                    results.append(self._hash_n_degree(node, issuer))
            for _, issuer in sorted(results, key=lambda result: result[0]):
                for node in issuer.issued:
                    self._canonical.issue(node)
        return self._canonical.issued

    def _hash(self, text: str) -> str:
        return self._hasher(text.encode("utf-8")).hexdigest()

    def _hash_first_degree(self, node: str) -> str:
        """§4.6.3."""
        lines = sorted(
            line(_renamed(quad, lambda other: "_:a" if other == node else "_:z"))
            for quad in self._quads[node]
        )
        return self._hash("".join(lines))

    def _related_to(self, node: str) -> list[tuple[str, str]]:
        """Each other blank node of `node`'s quads, with position and predicate (§4.7.3)."""
        found = self._related.get(node)
        if found is None:
            found = self._related[node] = [
                (related, position if position == "g" else position + quad[1])
                for quad in self._quads[node]
                for position, related in _blank_terms(quad)
                if related != node
            ]
        return found

    def _hash_related(self, related: str, place: str, issuer: _Issuer) -> str:
        """§4.7.3."""
        if related in self._canonical.issued:
            identifier = "_:" + self._canonical.issued[related]
        elif related in issuer.issued:
            identifier = "_:" + issuer.issued[related]
        else:
            identifier = self._first_degree[related]
        return self._hash(place + identifier)

    def _hash_n_degree(self, node: str, issuer: _Issuer) -> tuple[str, _Issuer]:
        """§4.8.3."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise DatasetNotCanonicalised("dataset has too many blank nodes that look alike")
        related_by_hash: dict[str, list[str]] = {}
        for related, place in self._related_to(node):  # step 3
            self._spend()
            digest = self._hash_related(related, place, issuer)
            related_by_hash.setdefault(digest, []).append(related)
        data = ""
        for digest in sorted(related_by_hash):  # step 5
            chosen: tuple[str, _Issuer] | None = None
            for permutation in _arrangements(related_by_hash[digest]):
                tried = self._try_path(permutation, issuer, chosen[0] if chosen else None)
                if tried is not None and (chosen is None or tried[0] < chosen[0]):
                    chosen = tried
            assert chosen is not None  # the first permutation is never given up
            data += digest + chosen[0]
            issuer = chosen[1]
        self._depth -= 1
        return self._hash(data), issuer

    def _try_path(
        self, permutation: Iterable[str], issuer: _Issuer, best: str | None
    ) -> tuple[str, _Issuer] | None:
        """§4.8.3 steps 5.4.1 to 5.4.5; None as soon as the path cannot become the smallest."""
        issuer = issuer.copy()
        path = ""
        recursion = []
        for related in permutation:
            self._spend()
            if related in self._canonical.issued:
                path += "_:" + self._canonical.issued[related]
            else:
                if related not in issuer.issued:
                    recursion.append(related)
                path += "_:" + issuer.issue(related)
            if best is not None and len(path) >= len(best) and path > best:
                return None
        for related in recursion:
            digest, deeper = self._hash_n_degree(related, issuer)
            path += "_:" + issuer.issue(related) + f"<{digest}>"
            issuer = deeper
            if best is not None and len(path) >= len(best) and path > best:
                return None
        return path, issuer

    def _spend(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise DatasetNotCanonicalised("dataset takes too much work to canonicalise")


def _arrangements(nodes: list[str]) -> Iterator[Iterator[str]]:
    """The orders of `nodes` that differ: a node stands there once for each quad that names it.

    Each is to be read before the next one is asked for. Orders that only swap a node with itself
    give the same path; a graph with six quads would otherwise cost 720 times the work.
    """
    if len(nodes) == 1:
        yield iter(nodes)
        return
    names = list(dict.fromkeys(nodes))
    place_of = {name: place for place, name in enumerate(names)}
    order = sorted(place_of[node] for node in nodes)
    while True:
        yield (names[place] for place in order)
        # The next one in lexicographic order: raise the last place that can be raised.
        left = len(order) - 2
        while left >= 0 and order[left] >= order[left + 1]:
            left -= 1
        if left < 0:
            return
        right = len(order) - 1
        while order[right] <= order[left]:
            right -= 1
        order[left], order[right] = order[right], order[left]
        order[left + 1 :] = reversed(order[left + 1 :])


def _blank_terms(quad: Quad) -> Iterator[tuple[str, str]]:
    for position, term in (("s", quad[0]), ("o", quad[2]), ("g", quad[3])):
        if term.startswith("_:"):
            yield position, term


def _renamed(quad: Quad, rename: Callable[[str], str]) -> Quad:
    subject, predicate, value, graph = (
        rename(term) if term.startswith("_:") else term for term in quad
    )
    return subject, predicate, value, graph


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _ESCAPES.get(char) or f"\\u{ord(char):04X}"
