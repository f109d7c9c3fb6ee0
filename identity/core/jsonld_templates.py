"""Statements of documents whose shape was seen before, without expanding them again.

Credentials of one kind differ in their texts and in nothing else: contexts, names, types and
nesting are the same, and so are the statements they stand for, up to those texts. Expansion is four
fifths of a verification, so it is done once for a shape, with markers in place of the texts; what
comes out is a template, and the next document's texts are put where the markers stood.

The general path stays the reference. A template is used only where nothing can differ:

- The shape is everything but texts: names, nesting, order in arrays, numbers, embedded contexts,
  `type`, the scheme of each text that has one (it might be a prefix), and which texts are equal
  (equal names are one node).
- A text becomes a slot only if its marker came out whole, as a literal or as an IRI, wherever it
  came out. Any other text, such as one that a context maps to an IRI, belongs to the shape.
- The template has to give back, text by text, what the reference says of the document it was made
  of.
- A text in the place of an IRI has to be absolute, no term of any context, and none of the IRIs
  that the template itself holds. Otherwise, or when anything was refused on the way, the reference
  decides.
"""

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from identity.core import rdf_canon
from identity.core.rdf_canon import CanonicalDataset, Quad
from registry.core.encoding import MAX_JSON_DEPTH, JsonObject
from registry.core.refusals import Malformed

MAX_SHAPES = 256  # remembered; the one longest unused is forgotten
MAX_SHAPE_CHARS = 1 << 16  # of what belongs to a shape; 256 of them are 16 MiB
MAX_TEXTS = 256  # different ones in a document; more is no credential of the usual kind
MAX_VALUES = 1_024  # of a document with a template
MAX_STATEMENTS = 100_000  # of all templates together, some 50 MiB
SIGHTINGS = 2  # of a shape before a template is made, which takes up to five expansions
MAX_VARIANTS = 8  # templates of one shape, which differ in the texts that belong to it
MAX_ATTEMPTS = 8  # at making one, before the shape is left to the reference
_ROUNDS = 3  # of finding out which texts belong to the shape

# Texts under these names are read as terms or change how others are read.
_OWN_MEANING = frozenset({"type", "@type", "@language", "@direction", "@index", "proofPurpose"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://)?")
_MARKER = re.compile(r"cairn-slot-(\d+)-end")

Reference = Callable[[JsonObject], list[Quad]]


class Means(Protocol):
    """With what a template is made, and on whose account."""

    def expanded_quads(self, document: JsonObject) -> list[Quad]:
        """The reference; raises `Malformed` also when it would cost too much."""
        ...

    def canonicalise_quads(self, quads: list[Quad]) -> CanonicalDataset:
        """The canonical form of a dataset; raises likewise."""
        ...


@dataclass(frozen=True, slots=True)
class _Uncounted:
    """What the installation makes of its own accord."""

    expanded_quads: Reference

    def canonicalise_quads(self, quads: list[Quad]) -> CanonicalDataset:
        return rdf_canon.canonicalise(quads)


@dataclass(frozen=True, slots=True)
class Shape:
    """A document without its texts, and the texts.

    `key` is a digest, equal for documents of one shape. `texts` are the different ones, in order of
    first appearance, and `prefixes` the scheme of each, or nothing. `terms` are names with a colon
    that embedded contexts define.
    """

    key: bytes
    texts: tuple[str, ...]
    prefixes: tuple[str, ...]
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a text goes: an IRI, or a literal with what follows its closing quote."""

    number: int
    is_iri: bool
    suffix: str = ""


_Term = str | _Slot


@dataclass(frozen=True, slots=True)
class _Template:
    """Statements with slots, and the IRIs that are the same in each document of the shape."""

    quads: tuple[tuple[_Term, _Term, _Term, _Term], ...]
    own_iris: frozenset[str]
    iri_slots: frozenset[int]
    fixed: Mapping[int, str]  # texts that belong to the shape, by number


@dataclass(slots=True)
class _Known:
    """What became of a shape."""

    templates: list[_Template] = field(default_factory=list)
    attempts: int = 0


class TemplateCache:
    """Templates by shape. Safe to share between threads."""

    def __init__(self, reference: Reference, *, terms: frozenset[str]) -> None:
        """Nothing is known at first.

        Args:
            reference: the statements of any document, or a refusal.
            terms: names with a colon that some published context defines as a whole.
        """
        self._means: Means = _Uncounted(reference)
        self._terms = terms
        self._lock = threading.Lock()
        self._seen: OrderedDict[bytes, int] = OrderedDict()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._statements = 0  # in all templates

    def quads(
        self,
        document: JsonObject,
        *,
        may_make: Callable[[], bool] = lambda: True,
        means: Means | None = None,
    ) -> list[Quad] | None:
        """The statements of `document`, or None when the reference has to say.

        Args:
            may_make: asked before a template is made, and so before that costs anything.
            means: makes it; otherwise nothing is counted.
        """
        shape = shape_of(document)
        if shape is None:
            return None
        with self._lock:
            known = self._known.get(shape.key)
            if known is not None:
                self._known.move_to_end(shape.key)
            elif not self._is_due(shape.key):
                return None
            else:
                known = self._known[shape.key] = _Known()
                if len(self._known) > MAX_SHAPES:
                    self._forget_one()
        for template in known.templates:
            if all(shape.texts[number] == text for number, text in template.fixed.items()):
                return self._filled(template, shape)
        if known.attempts >= MAX_ATTEMPTS or len(known.templates) >= MAX_VARIANTS or not may_make():
            return None
        known.attempts += 1
        made = self._made(document, shape, means or self._means)
        if made is None:
            return None
        with self._lock:
            if shape.key in self._known:
                known.templates.append(made)
                self._statements += len(made.quads)
            while self._statements > MAX_STATEMENTS:
                self._forget_one()
        return self._filled(made, shape)

    def _forget_one(self) -> None:
        """The shape that was not used for longest."""
        _, known = self._known.popitem(last=False)
        self._statements -= sum(len(template.quads) for template in known.templates)

    def _is_due(self, key: bytes) -> bool:
        count = self._seen.pop(key, 0) + 1
        if count >= SIGHTINGS:
            return True
        self._seen[key] = count
        while len(self._seen) > MAX_SHAPES:
            self._seen.popitem(last=False)
        return False

    def _filled(self, template: _Template, shape: Shape) -> list[Quad] | None:
        texts = shape.texts
        for number in template.iri_slots:
            text = texts[number]
            if (
                not rdf_canon.is_absolute_iri(text)
                or text in self._terms
                or text in shape.terms
                or text in template.own_iris
            ):
                return None
        return [
            (
                subject if isinstance(subject, str) else _term(subject, texts),
                predicate if isinstance(predicate, str) else _term(predicate, texts),
                value if isinstance(value, str) else _term(value, texts),
                graph if isinstance(graph, str) else _term(graph, texts),
            )
            for subject, predicate, value, graph in template.quads
        ]

    def _made(self, document: JsonObject, shape: Shape, means: Means) -> _Template | None:
        """A template of this document, if there is one that says what the reference says."""
        fixed: set[int] = set()
        try:
            for _ in range(_ROUNDS):
                marked = means.expanded_quads(_marked(document, shape, fixed))
                stray = _stray(marked, len(shape.texts), fixed)
                if not stray:
                    break
                fixed |= stray
            else:
                return None
            template = _template(marked, {number: shape.texts[number] for number in fixed})
            filled = self._filled(template, shape)
            same = filled is not None and _same(filled, means.expanded_quads(document), means)
        except Malformed:
            return None
        return template if same else None


def shape_of(document: JsonObject) -> Shape | None:
    """The shape of a document, or None when it is too large, or holds what has no shape here."""
    walk = _Walk()
    try:
        walk.value(document, "", 1)
    except _NoShapeError:
        return None
    written = repr(walk.parts)  # of texts, numbers and their types: equal for equal parts only
    if len(written) > MAX_SHAPE_CHARS:
        return None
    key = hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest()
    return Shape(key, tuple(walk.numbers), tuple(walk.prefixes), frozenset(walk.terms))


def names_with_colon(context: Any) -> Iterator[str]:
    """Terms of a context that are whole IRIs or compact ones: a text could be one of them."""
    if isinstance(context, dict):
        for name, member in context.items():
            if ":" in name:
                yield name
            yield from names_with_colon(member)
    elif isinstance(context, list):
        for item in context:
            yield from names_with_colon(item)


class _NoShapeError(Exception):
    pass


class _Walk:
    """Writes the shape of a document down while it collects the texts."""

    def __init__(self) -> None:
        self.parts: list[object] = []
        self.numbers: dict[str, int] = {}
        self.prefixes: list[str] = []
        self.terms: list[str] = []

    def value(self, value: Any, name: str, depth: int) -> None:
        parts = self.parts
        if len(parts) > 4 * MAX_VALUES or depth > MAX_JSON_DEPTH:
            raise _NoShapeError
        if isinstance(value, str):
            if name in _OWN_MEANING or value[:1] in ("@", "_", ""):
                parts += ("own", value)
                return
            number = self.numbers.get(value)
            if number is None:
                number = self.numbers[value] = len(self.numbers)
                if number >= MAX_TEXTS:
                    raise _NoShapeError
                scheme = _SCHEME.match(value)
                self.prefixes.append(scheme[0] if scheme else "")
            parts += ("text", number, self.prefixes[number])
        elif isinstance(value, dict):
            parts += ("{", len(value))
            if not all(isinstance(key, str) for key in value):
                raise _NoShapeError
            for key in sorted(value):  # their order means nothing to JSON-LD
                member = value[key]
                parts.append(key)
                if key == "@context":
                    parts.append(_written(member))
                    self.terms += names_with_colon(member)
                else:
                    self.value(member, key, depth + 1)
        elif isinstance(value, list):
            parts += ("[", len(value))
            for item in value:
                self.value(item, name, depth + 1)
        elif isinstance(value, bool | int | float):
            parts += (type(value).__name__, value)
        else:
            raise _NoShapeError  # null, which the reference refuses


def _written(context: Any) -> str:
    try:
        return json.dumps(context, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _NoShapeError from error


def _marked(document: JsonObject, shape: Shape, fixed: set[int]) -> JsonObject:
    """The document with a marker for each text that may be a slot."""
    markers = {
        text: f"{shape.prefixes[number]}cairn-slot-{number}-end"
        for number, text in enumerate(shape.texts)
        if number not in fixed
    }

    def mark(value: Any, name: str) -> Any:
        if isinstance(value, str):
            return value if name in _OWN_MEANING else markers.get(value, value)
        if isinstance(value, dict):
            return {
                key: member if key == "@context" else mark(member, key)
                for key, member in value.items()
            }
        if isinstance(value, list):
            return [mark(item, name) for item in value]
        return value

    marked: JsonObject = mark(document, "")
    return marked


def _stray(quads: list[Quad], count: int, fixed: set[int]) -> set[int]:
    """Texts whose markers did not come out, or not whole."""
    found: set[int] = set()
    stray: set[int] = set()
    for term in _terms_of(quads):
        slot = _slot(term)
        if slot is not None:
            found.add(slot.number)
        else:
            stray |= {int(number) for number in _MARKER.findall(term)}
    return ({number for number in range(count) if number not in found} | stray) - fixed


def _template(quads: list[Quad], fixed: Mapping[int, str]) -> _Template:
    def slotted(term: str) -> _Term:
        return _slot(term) or term

    made = tuple(
        (slotted(subject), slotted(predicate), slotted(value), slotted(graph))
        for subject, predicate, value, graph in quads
    )
    terms = [term for quad in made for term in quad]
    return _Template(
        quads=made,
        own_iris=frozenset(
            term[1:-1] for term in terms if isinstance(term, str) and term.startswith("<")
        ),
        iri_slots=frozenset(
            term.number for term in terms if isinstance(term, _Slot) and term.is_iri
        ),
        fixed=fixed,
    )


_WHOLE_IRI = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.-]*:(?://)?)?cairn-slot-(\d+)-end>")
_WHOLE_LITERAL = re.compile(
    r'"(?:[A-Za-z][A-Za-z0-9+.-]*:(?://)?)?cairn-slot-(\d+)-end"((?:@|\^\^<).*)?'
)
_XSD, _RDF = "http://www.w3.org/2001/XMLSchema#", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_REWRITTEN = (f"^^<{_XSD}", f"^^<{_RDF}")
_AS_THEY_ARE = frozenset(f"^^<{_XSD}{name}>" for name in ("dateTime", "date", "anyURI"))


def _slot(term: str) -> _Slot | None:
    """The slot that a term is as a whole; a marker in its datatype or language makes it none."""
    if match := _WHOLE_IRI.fullmatch(term):
        return _Slot(int(match[1]), is_iri=True)
    match = _WHOLE_LITERAL.fullmatch(term)
    if match is None or _MARKER.search(match[2] or ""):
        return None
    # Literals of other types may be rewritten: `"1.5"` as a double is `"1.5E0"`.
    if (match[2] or "").startswith(_REWRITTEN) and match[2] not in _AS_THEY_ARE:
        return None
    return _Slot(int(match[1]), is_iri=False, suffix=match[2] or "")


def _term(slot: _Slot, texts: tuple[str, ...]) -> str:
    text = texts[slot.number]
    return f"<{text}>" if slot.is_iri else rdf_canon.literal(text) + slot.suffix


def _terms_of(quads: list[Quad]) -> Iterator[str]:
    for quad in quads:
        yield from quad


def _same(ours: list[Quad], theirs: list[Quad], means: Means) -> bool:
    """The same dataset, whatever its blank nodes are called."""
    return means.canonicalise_quads(ours).lines == means.canonicalise_quads(theirs).lines
