"""JSON-LD 1.1 without losses and without a network.

A JSON-LD processor drops what no context defines, and skips what only a base would resolve; a
signature over the rest then covers less than its reader sees (VC Data Integrity 1.0 §4.1). Here
anything that would not reach the signed RDF is a refusal. Contexts come from a `ContextStore` and
from the document itself, never from anywhere else.
"""

import copy
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pyld import jsonld as _pyld
from pyld.context_resolver import ContextResolver

from identity.core import rdf_canon
from identity.core.jsonld_bounds import (
    MAX_TERMS_COPIED,
    MAX_TERMS_DEFINED,
    JsonLdRefused,
    bound_comparisons,
    count_nulls,
    prepare,
)
from identity.core.jsonld_templates import TemplateCache, names_with_colon
from identity.core.rdf_canon import CanonicalDataset, Quad
from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed

_I18N = "https://www.w3.org/ns/i18n#"
# What PyLD raises on input that its authors did not think of; each means "not JSON-LD".
_GARBAGE = (
    _pyld.JsonLdError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)


class ContextNotKnown(JsonLdRefused):
    """The document names a context that this installation does not have."""


class ContextStore:
    """The JSON-LD contexts that exist for us. Safe to share between threads."""

    def __init__(
        self, documents: Mapping[str, Any], *, published: Mapping[str, bytes] | None = None
    ) -> None:
        """Take what exists.

        Args:
            documents: context documents, each an object with `@context`, by absolute URL.
            published: resources byte for byte, by absolute URL, for comparison with the digests
                that a document may give for them.
        """
        self._documents = dict(documents)
        self._published = dict(published or {})
        self._resolved = _KnownContexts(self._documents)
        # PyLD's caches are not made for threads; expansion holds the interpreter anyway.
        self._lock = threading.Lock()
        self.templates = TemplateCache(
            lambda document: expanded_quads(document, self),
            terms=frozenset(names_with_colon([*self._documents.values()])),
        )

    def __contains__(self, url: str) -> bool:
        return url in self._documents

    def published(self, url: str) -> bytes | None:
        """The resource as it was published, or None when it is not here."""
        return self._published.get(url)

    def expand(self, document: JsonObject) -> list[Any]:
        """Expand `document`, refusing any loss; see `expand`."""
        prepared, nulls = prepare(document)
        expanded: list[Any] = self._run(_Lossless(nulls).expand, prepared)
        return expanded

    def to_rdf(self, document: JsonObject) -> Mapping[str, list[JsonObject]]:
        """Expand losslessly and turn into RDF, in PyLD's form: triples by graph name."""
        prepared, nulls = prepare(document)
        graphs: Mapping[str, list[JsonObject]] = self._run(_Lossless(nulls).to_rdf, prepared)
        return graphs

    def compact(self, expanded: JsonObject, context: Any) -> JsonObject:
        """Compact one expanded node under `context`; for selective disclosure."""

        def operation(document: Any, options: Any) -> Any:
            given = {**options, "skipExpansion": True}  # expanding it again takes as long
            return _pyld.JsonLdProcessor().compact(document, context, given)

        compacted: JsonObject = self._run(operation, [expanded])
        return compacted

    def _run(self, operation: Any, document: JsonObject | list[Any]) -> Any:
        with self._lock:
            options = {
                "base": None,  # "" would mean http://example.org/base/ to PyLD
                "documentLoader": self._load,
                "contextResolver": ContextResolver(self._resolved, self._load),
                "processingMode": "json-ld-1.1",
                # Also what other implementations choose: without it `@direction` goes unsigned.
                "rdfDirection": "i18n-datatype",
                "extractAllScripts": False,
            }
            try:
                return operation(document, options)
            except _GARBAGE as error:
                raise _refusal(error) from error

    def _load(self, url: str, _options: object = None) -> JsonObject:
        document = self._documents.get(url)
        if document is None:
            raise ContextNotKnown("document names a context that is not known here")
        return {
            "contextUrl": None,
            "documentUrl": url,
            "document": copy.deepcopy(document),  # PyLD resolves URLs in place
            "contentType": "application/ld+json",
            "tag": "static",
        }


def expand(document: JsonObject, contexts: ContextStore) -> list[Any]:
    """Expand a document so that nothing of it is lost.

    Raises:
        ContextNotKnown: a context that is not in `contexts`.
        JsonLdRefused: no JSON-LD, too large, an undefined term or type, a relative URL, a null, an
            `@index`, a language that is no tag, or a protected term redefined.
    """
    return contexts.expand(document)


def check_lossless(document: JsonObject, contexts: ContextStore) -> None:
    """Check that nothing of a document would be lost; raises as `expand`."""
    if contexts.templates.quads(document) is None:
        contexts.expand(document)


def to_quads(document: JsonObject, contexts: ContextStore) -> list[Quad]:
    """The RDF dataset of a document, as terms of `rdf_canon`; raises as `expand`."""
    quads = contexts.templates.quads(document)
    return expanded_quads(document, contexts) if quads is None else quads


def expanded_quads(document: JsonObject, contexts: ContextStore) -> list[Quad]:
    """As `to_quads`, by expansion in any case: the reference for `jsonld_templates`."""
    quads = []
    for graph_name, triples in contexts.to_rdf(document).items():
        graph = "" if graph_name == "@default" else _node(graph_name)
        for triple in triples:
            subject, predicate = _node(triple["subject"]["value"]), triple["predicate"]["value"]
            quads.append((subject, rdf_canon.iri(predicate), _object(triple["object"]), graph))
    return quads


def canonicalise(
    document: JsonObject, contexts: ContextStore, *, hash_name: str = "sha256"
) -> CanonicalDataset:
    """Canonical N-Quads of a document (RDFC-1.0); raises as `expand` and as `rdf_canon`."""
    return rdf_canon.canonicalise(to_quads(document, contexts), hash_name=hash_name)


class _KnownContexts(dict[str, Any]):
    """A cache that remembers published contexts only; embedded ones would fill it without end."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        super().__init__()
        self._documents = documents

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._documents:
            super().__setitem__(key, value)


class _Lossless(_pyld.JsonLdProcessor):  # type: ignore[misc]  # PyLD has no types
    """PyLD's processor, stopped at the first thing it would leave out."""

    def __init__(self, nulls: int) -> None:
        super().__init__(on_property_dropped=_refuse_property)
        self._nulls = nulls
        self._terms_defined = 0
        self._terms_copied = 0

    def _create_term_definition(self, *args: Any, **kwargs: Any) -> None:
        """A context scoped to a type or term is processed anew at each node that has it."""
        self._terms_defined += 1
        if self._terms_defined > MAX_TERMS_DEFINED:
            raise JsonLdRefused("document takes too much work to apply its contexts")
        super()._create_term_definition(*args, **kwargs)

    def _clone_active_context(self, active_ctx: Any) -> Any:
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


def _refusal(error: BaseException) -> Malformed:
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
