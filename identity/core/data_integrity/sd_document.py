"""The document side of selective disclosure, the same for ecdsa-sd-2023 and bbs-2023.

What is signed is statements with labels of the issuer's choice in place of blank nodes. A verifier
sees fewer statements, hence other canonical names, and is told which label each of them had.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from identity.core import jsonld
from identity.core.data_integrity.selection import (
    GroupedDocument,
    LabelMap,
    group,
    relabelled,
    select,
)
from identity.core.data_integrity.suite import ProofMalformed, ProofNotValid, unsigned_config
from identity.core.jsonld import ContextStore
from identity.core.rdf_canon import line
from registry.core.encoding import JsonObject, base64url_encode

Relabel = Callable[[Mapping[str, str]], LabelMap]


@dataclass(frozen=True, slots=True)
class Parted:
    """The lines of a document: those that cannot be left out, and the others, each in order."""

    mandatory: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a holder shows.

    Args:
        revealed: the document without proof.
        labels: canonical name that the verifier will see (`c14n0`) -> label that was signed.
        mandatory_indexes: places of mandatory lines among all that are shown.
        selected_indexes: places of the shown lines among those that are not mandatory.
        lines: the whole document's.
    """

    revealed: JsonObject
    labels: Mapping[str, str]
    mandatory_indexes: tuple[int, ...]
    selected_indexes: tuple[int, ...]
    lines: Parted


def hmac_labels(key: bytes) -> Relabel:
    """Labels that tell nothing about what is left out (VC DI ECDSA §3.4.7)."""

    def relabel(identifiers: Mapping[str, str]) -> LabelMap:
        return {came_in: "_:" + _hmac_label(key, name) for came_in, name in identifiers.items()}

    return relabel


def shuffled_labels(key: bytes) -> Relabel:
    """`b0`, `b1`, … in an order that tells nothing (VC DI BBS §3.2.2): shorter, and never unique
    to one credential as a hash would be, which would link what BBS keeps apart.
    """

    def relabel(identifiers: Mapping[str, str]) -> LabelMap:
        hashed = {came_in: _hmac_label(key, name) for came_in, name in identifiers.items()}
        places = {label: place for place, label in enumerate(sorted(hashed.values()))}
        return {came_in: f"_:b{places[label]}" for came_in, label in hashed.items()}

    return relabel


def part_for_signing(
    document: JsonObject,
    *,
    mandatory_pointers: Collection[str],
    relabel: Relabel,
    contexts: ContextStore,
) -> Parted:
    """The lines that an issuer signs.

    Raises:
        PointerLeadsNowhere: a pointer names nothing.
    """
    grouped = group(
        document,
        groups={"mandatory": mandatory_pointers},
        relabel=relabel,
        contexts=contexts,
    )
    return _part(grouped.lines, set(grouped.groups["mandatory"]))


def part_for_deriving(
    document: JsonObject,
    *,
    mandatory_pointers: Collection[str],
    selective_pointers: Collection[str],
    relabel: Relabel,
    contexts: ContextStore,
) -> Selection:
    """What `selective_pointers` show besides the mandatory parts.

    Raises:
        ProofMalformed: nothing is selected.
        PointerLeadsNowhere: a pointer names nothing.
    """
    combined = list(dict.fromkeys([*mandatory_pointers, *selective_pointers]))
    if not combined:
        raise ProofMalformed("nothing is selected")
    grouped = group(
        document,
        groups={
            "mandatory": mandatory_pointers,
            "selective": selective_pointers,
            "combined": combined,
        },
        relabel=relabel,
        contexts=contexts,
    )
    mandatory, selective = set(grouped.groups["mandatory"]), set(grouped.groups["selective"])
    others = [index for index in range(len(grouped.lines)) if index not in mandatory]
    return Selection(
        revealed=select(document, combined),
        labels=_labels_seen(grouped, contexts),
        mandatory_indexes=tuple(
            place for place, index in enumerate(grouped.groups["combined"]) if index in mandatory
        ),
        selected_indexes=tuple(place for place, index in enumerate(others) if index in selective),
        lines=_part(grouped.lines, mandatory),
    )


def part_for_verifying(
    document: JsonObject,
    *,
    labels: Mapping[str, str],
    mandatory_indexes: Collection[int],
    contexts: ContextStore,
) -> Parted:
    """The lines of what is shown, under the labels that were signed.

    Raises:
        ProofNotValid: labels or indexes do not fit the document.
    """
    quads = jsonld.to_quads(document, contexts)
    names = {}
    for came_in, name in contexts.canonicalise_quads(quads).identifiers.items():
        if name[2:] not in labels:
            raise ProofNotValid("proof has no label for a node of the document")
        names[came_in] = "_:" + labels[name[2:]]
    if len(names) != len(labels):
        raise ProofNotValid("proof has a label for a node that is not there")
    lines = sorted({line(relabelled(quad, names)) for quad in quads})
    if not set(mandatory_indexes) <= set(range(len(lines))):
        raise ProofNotValid("proof counts statements that are not there")
    return _part(lines, set(mandatory_indexes))


def configuration_hash(
    document: JsonObject, config: JsonObject, *, contexts: ContextStore
) -> bytes:
    """SHA-256 of the proof configuration in canonical form, 32 bytes."""
    configuration = {**unsigned_config(config), "@context": document.get("@context")}
    canonical = jsonld.canonicalise(configuration, contexts).nquads
    return hashlib.sha256(canonical.encode("utf-8")).digest()


def mandatory_hash(mandatory: Sequence[str]) -> bytes:
    """SHA-256 of the mandatory lines, 32 bytes."""
    return hashlib.sha256("".join(mandatory).encode("utf-8")).digest()


def _labels_seen(grouped: GroupedDocument, contexts: ContextStore) -> dict[str, str]:
    """The verifier sees other canonical names, since it sees less: tell it which is which."""
    seen = contexts.canonicalise_quads(list(grouped.quads["combined"])).identifiers
    return {name[2:]: grouped.labels[came_in][2:] for came_in, name in seen.items()}


def _part(lines: Sequence[str], mandatory: Collection[int]) -> Parted:
    return Parted(
        mandatory=tuple(text for index, text in enumerate(lines) if index in mandatory),
        others=tuple(text for index, text in enumerate(lines) if index not in mandatory),
    )


def _hmac_label(key: bytes, name: str) -> str:
    return "u" + base64url_encode(hmac.digest(key, name[2:].encode("ascii"), "sha256"))
