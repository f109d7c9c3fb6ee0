"""JSON-LD 1.1 without losses and without a network.

A JSON-LD processor drops what no context defines, and skips what only a base would resolve; a
signature over the rest then covers less than its reader sees (VC Data Integrity 1.0 §4.1). Here
anything that would not reach the signed RDF is a refusal. Contexts come from a `ContextStore` and
from the document itself, never from anywhere else.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from identity.core import rdf_canon
from identity.core.jsonld_bounds import (
    MAX_REQUEST_TEMPLATES,
    TEMPLATE_SHARE,
    JsonLdRefused,
    Unbounded,
    Work,
    count_values,
    prepare,
)
from identity.core.jsonld_processor import (
    GARBAGE,
    Compactor,
    Lossless,
    Resolver,
    quads_of,
    refusal_of,
)
from identity.core.jsonld_templates import TemplateCache, names_with_colon
from identity.core.rdf_canon import CanonicalDataset, DatasetNotCanonicalised, Quad
from registry.core.encoding import JsonObject

MAX_IDLE = 8  # sets of caches kept for the next operation, some 1 MiB each


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
        # PyLD's caches are not made for threads: each is lent to one operation at a time.
        self._idle: list[_KnownContexts] = []
        self._work: Work = Unbounded()
        self.templates = TemplateCache(
            self.expanded_quads, terms=frozenset(names_with_colon([*self._documents.values()]))
        )

    def for_request(self) -> "ContextStore":
        """The same contexts, to judge what one stranger sent.

        What that may cost is bounded as a whole, and no document is worked through twice.
        """
        return _RequestContexts(self)

    def __contains__(self, url: str) -> bool:
        return url in self._documents

    def published(self, url: str) -> bytes | None:
        """The resource as it was published, or None when it is not here."""
        return self._published.get(url)

    def expand(self, document: JsonObject) -> list[Any]:
        """Expand `document`, refusing any loss; see `expand`."""
        expanded: list[Any] = self._lossless(document, lambda processor: processor.expand)
        return expanded

    def quads(self, document: JsonObject) -> list[Quad]:
        """The RDF dataset of a document; see `to_quads`."""
        quads = self._templated(document)
        return self.expanded_quads(document) if quads is None else quads

    def check_lossless(self, document: JsonObject) -> None:
        """Check that nothing of a document would be lost; raises as `expand`."""
        if self._templated(document) is None:
            self.expand(document)

    def expanded_quads(self, document: JsonObject) -> list[Quad]:
        """As `quads`, by expansion in any case: the reference for `jsonld_templates`."""
        graphs = self._lossless(document, lambda processor: processor.to_rdf)
        return quads_of(graphs)

    def canonical(self, document: JsonObject, *, hash_name: str) -> CanonicalDataset:
        """The canonical form of a document; see `canonicalise`."""
        return self.canonicalise_quads(self.quads(document), hash_name=hash_name)

    def canonicalise_quads(
        self, quads: list[Quad], *, hash_name: str = "sha256"
    ) -> CanonicalDataset:
        """The canonical form of a dataset; raises as `rdf_canon`."""
        self._work.spend(quads=len(quads), steps=0)  # refuses when no step is left
        try:
            canonical = rdf_canon.canonicalise(quads, hash_name=hash_name)
        except DatasetNotCanonicalised:
            self._work.spend(steps=rdf_canon.MAX_STEPS)  # the next one will not be any better
            raise
        self._work.spend(steps=canonical.steps)
        return canonical

    def compact(self, expanded: JsonObject, context: Any) -> JsonObject:
        """Compact one expanded node under `context`; for selective disclosure."""

        def operation(document: Any, options: Any) -> Any:
            given = {**options, "skipExpansion": True}  # expanding it again takes as long
            return Compactor().compact(document, context, given)

        self._work.spend(values=count_values(expanded))
        compacted: JsonObject = self._run(operation, [expanded])
        return compacted

    def _templated(self, document: JsonObject) -> list[Quad] | None:
        return self.templates.quads(document)

    def _lossless(self, document: JsonObject, operation: Callable[[Lossless], Any]) -> Any:
        prepared, nulls, values = prepare(document)
        self._work.spend(values=values)
        return self._run(operation(Lossless(nulls, self._work)), prepared)

    def _run(self, operation: Any, document: JsonObject | list[Any]) -> Any:
        try:
            known = self._idle.pop()
        except IndexError:
            known = _KnownContexts(self._documents)
        options = {
            "base": None,  # "" would mean http://example.org/base/ to PyLD
            "documentLoader": self._load,
            "contextResolver": Resolver(known, self._load),
            "processingMode": "json-ld-1.1",
            # Also what other implementations choose: without it `@direction` goes unsigned.
            "rdfDirection": "i18n-datatype",
            "extractAllScripts": False,
        }
        try:
            return operation(document, options)
        except GARBAGE as error:
            raise refusal_of(error) from error
        finally:
            if len(self._idle) < MAX_IDLE:
                self._idle.append(known)

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
    contexts.check_lossless(document)


def to_quads(document: JsonObject, contexts: ContextStore) -> list[Quad]:
    """The RDF dataset of a document, as terms of `rdf_canon`; raises as `expand`."""
    return contexts.quads(document)


def expanded_quads(document: JsonObject, contexts: ContextStore) -> list[Quad]:
    """As `to_quads`, by expansion in any case."""
    return contexts.expanded_quads(document)


def canonicalise(
    document: JsonObject, contexts: ContextStore, *, hash_name: str = "sha256"
) -> CanonicalDataset:
    """Canonical N-Quads of a document (RDFC-1.0); raises as `expand` and as `rdf_canon`."""
    return contexts.canonical(document, hash_name=hash_name)


class _RequestContexts(ContextStore):
    """See `ContextStore.for_request`. Lives as long as the request, in one thread."""

    def __init__(self, store: ContextStore) -> None:
        self._documents = store._documents
        self._published = store._published
        self._idle = store._idle
        self.templates = store.templates
        self._work = Work()
        self._templates_left = MAX_REQUEST_TEMPLATES
        self._means = _CountedMeans(store, Work(share=TEMPLATE_SHARE))
        self._lossless_documents: set[bytes] = set()
        self._canonical: dict[tuple[bytes, str], CanonicalDataset] = {}

    def check_lossless(self, document: JsonObject) -> None:
        key = _fingerprint(document)
        if key not in self._lossless_documents:
            super().check_lossless(document)
            self._lossless_documents.add(key)

    def canonical(self, document: JsonObject, *, hash_name: str) -> CanonicalDataset:
        """Proofs of a set are of the same document, and a presentation is judged per credential."""
        key = _fingerprint(document), hash_name
        if key not in self._canonical:
            self._canonical[key] = super().canonical(document, hash_name=hash_name)
        return self._canonical[key]

    def _templated(self, document: JsonObject) -> list[Quad] | None:
        return self.templates.quads(document, may_make=self._may_make, means=self._means)

    def _may_make(self) -> bool:
        self._templates_left -= 1
        return self._templates_left >= 0


class _CountedMeans(ContextStore):
    """Makes templates for a request; whoever sends what costs too much gets none made."""

    def __init__(self, store: ContextStore, work: Work) -> None:
        self._documents = store._documents
        self._published = store._published
        self._idle = store._idle
        self.templates = store.templates
        self._work = work


def _fingerprint(document: JsonObject) -> bytes:
    """Equal for documents that are the same JSON, member by member in their order."""
    try:
        text = json.dumps(document, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise JsonLdRefused("document is no JSON, or nests too deep") from error
    return hashlib.sha256(text.encode("ascii")).digest()


class _KnownContexts(dict[str, Any]):
    """A cache that remembers published contexts only; embedded ones would fill it without end."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        super().__init__()
        self._documents = documents

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._documents:
            super().__setitem__(key, value)
