"""What selective disclosure needs of JSON-LD (VC DI ECDSA 1.0 §3.4): pointers and stable nodes.

A blank node has no name that survives leaving something out. So nodes get temporary names in the
full document (`urn:bnid:…`), parts are selected with the names in them, and afterwards the names
become blank nodes again.
"""

import copy
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from identity.core import jsonld, rdf_canon
from identity.core.data_integrity.suite import ProofMalformed
from identity.core.jsonld import ContextStore
from identity.core.rdf_canon import Quad
from registry.core.encoding import JsonObject

MAX_POINTERS = 256  # each selects a part and costs a walk through the document
MAX_POINTER_CHARS = 1_024

_SCHEME = "urn:bnid:"
_INDEX = re.compile(r"0|[1-9][0-9]{0,6}", re.ASCII)

LabelMap = Mapping[str, str]  # blank node as it came in -> as it is signed, both with "_:"


class PointerLeadsNowhere(ProofMalformed):
    """A JSON pointer names nothing in the document."""


@dataclass(frozen=True, slots=True)
class GroupedDocument:
    """The signed lines of a document, and which of them each group of pointers selects."""

    lines: tuple[str, ...]
    labels: LabelMap
    groups: Mapping[str, tuple[int, ...]]  # indices into `lines`, ascending
    quads: Mapping[str, tuple[Quad, ...]]  # of each group, with the blank nodes that came in


def select(document: JsonObject, pointers: Collection[str]) -> JsonObject:
    """The part of `document` that `pointers` select (§3.4.11 to §3.4.13).

    Every object on the way keeps its `id` and `type`.

    Raises:
        PointerLeadsNowhere: a pointer is malformed or names nothing.
    """
    if len(pointers) > MAX_POINTERS:
        raise PointerLeadsNowhere(f"more than {MAX_POINTERS} pointers")
    return _select(document, [parse_pointer(pointer) for pointer in pointers])


def parse_pointer(pointer: object) -> list[str]:
    """The steps of a JSON pointer (RFC 6901)."""
    if not isinstance(pointer, str) or len(pointer) > MAX_POINTER_CHARS:
        raise PointerLeadsNowhere("a pointer is no text, or too long")
    if pointer and not pointer.startswith("/"):
        raise PointerLeadsNowhere("a pointer does not begin with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def group(
    document: JsonObject,
    *,
    groups: Mapping[str, Collection[str]],
    relabel: Callable[[Mapping[str, str]], LabelMap],
    contexts: ContextStore,
) -> GroupedDocument:
    """Canonicalise, relabel, and find the lines of each group (§3.4.17).

    Args:
        document: without proof.
        groups: JSON pointers by the name of their group.
        relabel: makes the labels that are signed out of the canonical ones.
        contexts: where JSON-LD contexts come from.
    """
    expanded = jsonld.expand(document, contexts)[0]
    named = _Namer().name(expanded)
    compact = contexts.compact(named, document.get("@context"))
    quads = _unnamed(named, contexts)
    labels = relabel(contexts.canonicalise_quads(quads).identifiers)
    lines = tuple(sorted({rdf_canon.line(relabelled(quad, labels)) for quad in quads}))
    found: dict[str, tuple[int, ...]] = {}
    selected: dict[str, tuple[Quad, ...]] = {}
    for name, pointers in groups.items():
        select(document, pointers)  # refuses pointers that name nothing
        fitted = [_fitted(compact, parse_pointer(pointer)) for pointer in pointers]
        selected[name] = tuple(_unnamed(_select(compact, fitted), contexts)) if fitted else ()
        wanted = {rdf_canon.line(relabelled(quad, labels)) for quad in selected[name]}
        found[name] = tuple(index for index, line in enumerate(lines) if line in wanted)
        if len(found[name]) != len(wanted):  # of a list, every element says which is next
            raise PointerLeadsNowhere("a pointer names an element of a list, which is shown whole")
    return GroupedDocument(lines=lines, labels=labels, groups=found, quads=selected)


def relabelled(quad: Quad, labels: LabelMap) -> Quad:
    """`quad` with every blank node under its other label.

    Raises:
        ProofMalformed: a node without one. Where no context calls `@id` by the name `id`, a part of
            the document does not keep the names of its nodes.
    """
    try:
        subject, predicate, value, graph = (
            labels[term] if term.startswith("_:") else term for term in quad
        )
    except KeyError as error:
        raise ProofMalformed("a part of the document has a node that the whole has not") from error
    return subject, predicate, value, graph


class _Namer:
    """Gives every nameless node of an expanded document a temporary name (§3.4.5)."""

    def __init__(self) -> None:
        self._count = 0

    def name(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.name(item) for item in value]
        if not isinstance(value, dict) or "@value" in value:
            return copy.deepcopy(value)
        named = {
            name: member if name == "@id" else self.name(member) for name, member in value.items()
        }
        identifier = named.get("@id")
        if isinstance(identifier, str) and identifier.startswith(_SCHEME):
            raise ProofMalformed("document uses names that selective disclosure keeps for itself")
        if isinstance(identifier, str) and identifier.startswith("_:"):
            named["@id"] = f"{_SCHEME}x{identifier[2:]}"
        elif identifier is None and not {"@list", "@set"} & set(named):
            named["@id"] = f"{_SCHEME}n{self._count}"
            self._count += 1
        return named


def _unnamed(document: JsonObject, contexts: ContextStore) -> list[Quad]:
    """Quads of a document in which temporary names are blank nodes again (§3.4.4)."""

    def plain(term: str) -> str:
        return f"_:{term[len(_SCHEME) + 1 : -1]}" if term.startswith(f"<{_SCHEME}") else term

    return [
        (plain(subject), predicate, plain(value), plain(graph))
        for subject, predicate, value, graph in jsonld.to_quads(document, contexts)
    ]


def _fitted(compact: JsonObject, steps: Sequence[str]) -> list[str]:
    """Steps through the compacted document for steps through the one that came in.

    Compaction takes an array of one away, and puts one where a context asks for it.
    """
    fitted: list[str] = []
    source: Any = compact
    for step in steps:
        if isinstance(source, list) and len(source) == 1 and not _INDEX.fullmatch(step):
            fitted.append("0")
            source = source[0]
        elif step == "0" and not isinstance(source, list) and not _has(source, step):
            continue
        fitted.append(step)
        source, _ = _follow(source, step)
    return fitted


def _has(source: Any, step: str) -> bool:
    return isinstance(source, dict) and step in source


def _select(document: JsonObject, paths: Sequence[Sequence[str]]) -> JsonObject:
    selection = _start(document)
    selection["@context"] = copy.deepcopy(document.get("@context"))
    asked = dict.fromkeys(tuple(steps) for steps in paths)
    for steps in asked:
        if any(steps[:length] in asked for length in range(len(steps))):
            _follow_all(document, steps)  # within a part that is taken whole; copied once
        else:
            _select_one(document, selection, steps)
    dense: JsonObject = _dense(selection)
    return dense


def _start(source: Mapping[str, Any]) -> JsonObject:
    selection: JsonObject = {}
    identifier = source.get("id")
    if isinstance(identifier, str) and not identifier.startswith("_:"):
        selection["id"] = identifier
    if "type" in source:
        selection["type"] = copy.deepcopy(source["type"])
    return selection


def _follow_all(source: Any, steps: Sequence[str]) -> None:
    for step in steps:
        source, _ = _follow(source, step)


def _select_one(document: JsonObject, selection: JsonObject, steps: Sequence[str]) -> None:
    source: Any = document
    target: Any = selection  # arrays are objects by index until `_dense`
    for position, step in enumerate(steps):
        source, key = _follow(source, step)
        if position < len(steps) - 1 and isinstance(source, dict | list):
            if key not in target:
                target[key] = _Sparse() if isinstance(source, list) else _start(source)
            target = target[key]
        elif position < len(steps) - 1:
            raise PointerLeadsNowhere("a pointer names nothing in the document")
        else:
            target[key] = copy.deepcopy(source)
    if not steps:
        selection.update(copy.deepcopy(document))


def _follow(source: Any, step: str) -> tuple[Any, str | int]:
    if isinstance(source, dict) and step in source:
        return source[step], step
    if isinstance(source, list) and _INDEX.fullmatch(step) and int(step) < len(source):
        return source[int(step)], int(step)
    raise PointerLeadsNowhere("a pointer names nothing in the document")


class _Sparse(dict[str | int, Any]):
    """An array of which some elements are selected, by index."""


def _dense(value: Any) -> Any:
    if isinstance(value, _Sparse):
        return [_dense(value[index]) for index in sorted(value, key=int)]
    if isinstance(value, dict):
        return {name: _dense(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_dense(item) for item in value]
    return value
