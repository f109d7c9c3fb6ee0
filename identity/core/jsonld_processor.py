"""PyLD's processor, stopped at the first thing that it would leave out of the signed RDF."""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pyld import jsonld as _pyld
from pyld.context_resolver import ContextResolver
from pyld.resolved_context import ResolvedContext

from identity.core import rdf_canon
from identity.core.jsonld_bounds import (
    MAX_TERMS_COPIED,
    MAX_TERMS_DEFINED,
    JsonLdRefused,
    Work,
    bound_comparisons,
    count_nulls,
)
from identity.core.rdf_canon import Quad
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

# What PyLD raises on input that its authors did not think of; each means "not JSON-LD".
GARBAGE = (
    _pyld.JsonLdError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)

_I18N = "https://www.w3.org/ns/i18n#"
_INVERSE = threading.Lock()  # PyLD keeps one cache of inverse contexts for everybody


class Lossless(_pyld.JsonLdProcessor):  # type: ignore[misc]  # PyLD has no types
    """PyLD's processor, stopped at the first thing it would leave out."""

    def __init__(self, nulls: int, work: Work) -> None:
        super().__init__(on_property_dropped=_refuse_property)
        self._nulls = nulls
        self._work = work
        self._terms_defined = 0
        self._terms_copied = 0

    def _create_term_definition(self, *args: Any, **kwargs: Any) -> None:
        """A context scoped to a type or term is processed anew at each node that has it."""
        self._work.spend(terms=1)
        self._terms_defined += 1
        if self._terms_defined > MAX_TERMS_DEFINED:
            raise JsonLdRefused("document takes too much work to apply its contexts")
        super()._create_term_definition(*args, **kwargs)

    def _clone_active_context(self, active_ctx: Any) -> Any:
        self._work.spend(copies=len(active_ctx["mappings"]))
        self._terms_copied += len(active_ctx["mappings"])
        if self._terms_copied > MAX_TERMS_COPIED:
            raise JsonLdRefused("document takes too much work to apply its contexts")
        return super()._clone_active_context(active_ctx)

    def _expand(
        self, active_ctx: Any, active_property: Any, element: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Every value passes here; one that comes out as nothing is left out of the signed RDF."""
        expanded = super()._expand(active_ctx, active_property, element, *args, **kwargs)
        if expanded is None and element is not None:
            raise JsonLdRefused("document has a value that JSON-LD leaves out")
        return expanded

    def expand(self, input_: Any, options: Any) -> Any:
        expanded = super().expand(input_, options)
        if len(expanded) != 1 or not isinstance(expanded[0], dict):
            raise JsonLdRefused("document does not describe exactly one thing")
        # PyLD drops null properties and values; only inside JSON literals do they survive.
        if sum(_check_expanded(expanded)) != self._nulls:
            raise JsonLdRefused("document has a null, which no signature would cover")
        bound_comparisons(expanded)
        return expanded


class Compactor(_pyld.JsonLdProcessor):  # type: ignore[misc]  # PyLD has no types
    """PyLD's processor, safe beside others in compaction."""

    def _get_inverse_context(self, active_ctx: Any) -> Any:
        with _INVERSE:
            return super()._get_inverse_context(active_ctx)


class Resolver(ContextResolver):  # type: ignore[misc]  # PyLD has no types
    """PyLD's resolver of contexts, with a quicker name for those that no URL names.

    PyLD names each by its RFC 8785 form, written in Python: a third of a millisecond for each node
    that has a type with a context of its own. Any name will do that equal contexts alone share.
    """

    def resolve(self, active_ctx: Any, context: Any, base: Any, cycles: Any = None) -> list[Any]:
        cycles = set() if cycles is None else cycles  # bounds all that are fetched here together
        if isinstance(context, dict) and "@context" in context:
            context = context["@context"]
        found: list[Any] = []
        for one in context if isinstance(context, list) else [context]:
            if isinstance(one, dict):
                found.append(self._embedded(one))
            else:
                found += super().resolve(active_ctx, [one], base, cycles)
        return found

    def _embedded(self, context: JsonObject) -> Any:
        # Refuses what PyLD's form refuses: no JSON numbers, and texts that UTF-8 does not have.
        text = json.dumps(context, ensure_ascii=False, allow_nan=False, sort_keys=True)
        text.encode()
        return self._get(text) or self._cache_resolved_context(
            text, ResolvedContext(context), "static"
        )


def _refuse_property(_name: str | None) -> None:
    raise JsonLdRefused("document has a term that its contexts do not define")


def _check_expanded(value: Any) -> Iterator[int]:
    """Refuse what the step to RDF would skip; yield the number of nulls in JSON literals."""
    if isinstance(value, list):
        for item in value:
            yield from _check_expanded(item)
        return
    if not isinstance(value, dict):
        raise JsonLdRefused("document has a value that JSON-LD leaves out")
    if "@value" in value:
        yield _check_value(value)
        return
    if "@index" in value:  # of any use only to a JSON reader, and not signed
        raise JsonLdRefused("document uses @index")
    for name, member in value.items():
        if name == "@id":
            _check_iri(member, blank=True)
        elif name == "@type":
            for kind in member:
                _check_iri(kind, blank=False)
        elif name == "@reverse":
            for reverse, nodes in member.items():
                _check_iri(reverse, blank=False)
                yield from _check_expanded(nodes)
        elif name in ("@graph", "@included"):
            # A bare reference or value makes no statement there, so nothing would bind it.
            for node in member:
                if not isinstance(node, dict) or set(node) <= {"@id"} or "@value" in node:
                    raise JsonLdRefused("document has a value that no statement holds")
            yield from _check_expanded(member)
        elif name in ("@list", "@set"):
            yield from _check_expanded(member)
        else:
            _check_iri(name, blank=False)  # blank node predicates have no RDF
            yield from _check_expanded(member)


def _check_value(value: JsonObject) -> int:
    if value.get("@type") == "@json":
        return count_nulls(value["@value"])
    if "@index" in value:
        raise JsonLdRefused("document uses @index")
    if "@type" in value:
        _check_iri(value["@type"], blank=False)
    language = value.get("@language")
    if language is not None and not rdf_canon.is_language_tag(language):
        raise JsonLdRefused("document has a language that is no language tag")
    return 0


def _check_iri(value: object, *, blank: bool) -> None:
    if not isinstance(value, str):
        raise JsonLdRefused("document has an identifier that is no text")
    if value.startswith("_:"):
        if not blank:
            raise JsonLdRefused("document has a blank node as a type or property")
    elif not rdf_canon.is_absolute_iri(value):
        raise JsonLdRefused("document has a relative URL, or a type that is not defined")


def refusal_of(error: BaseException) -> Malformed:
    """The refusal that started it, or one that names PyLD's reason without quoting the input."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Malformed):
            return cause
        code = getattr(cause, "code", None)
        cause = cause.__cause__
        if cause is None and isinstance(code, str):
            return JsonLdRefused(f"document is not valid JSON-LD: {code}")
    return JsonLdRefused("document is not valid JSON-LD")


def quads_of(graphs: Mapping[str, list[JsonObject]]) -> list[Quad]:
    """Terms of `rdf_canon` from PyLD's form: triples by graph name."""
    quads = []
    for graph_name, triples in graphs.items():
        graph = "" if graph_name == "@default" else _node(graph_name)
        for triple in triples:
            subject, predicate = _node(triple["subject"]["value"]), triple["predicate"]["value"]
            quads.append((subject, rdf_canon.iri(predicate), _object(triple["object"]), graph))
    return quads


def _node(value: str) -> str:
    return value if value.startswith("_:") else rdf_canon.iri(value)


def _object(term: JsonObject) -> str:
    if term["type"] != "literal":
        return _node(term["value"])
    value, datatype = str(term["value"]), term["datatype"]
    if "language" in term:
        return rdf_canon.literal(value, language=term["language"])
    if datatype.startswith(_I18N):
        datatype = datatype.lower()  # JSON-LD 1.1 API §8.2.2: the language goes in lower case
    return rdf_canon.literal(value, datatype=datatype)
