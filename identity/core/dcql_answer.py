"""Does an answer satisfy its DCQL query? (OpenID4VP 1.0 §6.4, §7.1, §8.6)

The wallet is asked to send only what matches; the verifier never relies on that. An answer that
does not match is refused, and what was not asked for is not kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from identity.core.dcql import (
    ClaimPath,
    ClaimQuery,
    CredentialFormat,
    CredentialQuery,
    CredentialSetQuery,
    DcqlQuery,
)
from registry.core.encoding import JsonObject
from registry.core.refusals import NotPermitted

MAX_PRESENTATIONS = 16  # to one query with `multiple`


class QueryNotSatisfied(NotPermitted):
    """The presentations do not answer the query. `reason` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class TooManyPresentations(QueryNotSatisfied):
    """More presentations than were asked for; they need not be looked at to say so."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_many_presentations", detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the query is evaluated against: one presented credential.

    Args:
        types: the `vct`, or the expanded IRIs of the credential's types.
        credential: JSON root that claim paths start from, with what was disclosed and no more.
        is_holder_bound: it came with a proof by its holder.
        authorities: (type, value) pairs of trust frameworks that certify its issuer.
    """

    format: CredentialFormat
    types: frozenset[str]
    credential: JsonObject
    is_holder_bound: bool
    authorities: frozenset[tuple[str, str]]


def query_called(query_id: str, query: DcqlQuery) -> CredentialQuery:
    """The credential query called `query_id`.

    Raises:
        QueryNotSatisfied: nothing was asked under that name.
    """
    for wanted in query.credentials:
        if wanted.id == query_id:
            return wanted
    raise QueryNotSatisfied("presentation_not_asked", "an answer to a query that was not asked")


def check_count(query: CredentialQuery, count: int) -> None:
    """Check that `count` presentations are not too many for `query`.

    Raises:
        TooManyPresentations: as it says.
    """
    if count > 1 and not query.multiple:
        raise TooManyPresentations(f"one presentation was asked for under {query.id}")
    if count > MAX_PRESENTATIONS:
        raise TooManyPresentations("more presentations than are read")


def satisfies(query: DcqlQuery, presentations: Mapping[str, Sequence[Candidate]]) -> None:
    """Check that `presentations`, by query id, answer `query` (§6.4.2, §8.1).

    Raises:
        QueryNotSatisfied: something was not asked, is missing, is one too many, or does not match.
    """
    for query_id, candidates in presentations.items():
        wanted = query_called(query_id, query)
        if not candidates:
            raise QueryNotSatisfied("presentation_missing", f"no presentation under {query_id}")
        check_count(wanted, len(candidates))
        for candidate in candidates:
            matches(wanted, candidate)
    if not presentations:
        raise QueryNotSatisfied("presentation_missing", "there is no presentation at all")
    if not query.credential_sets:
        missing = [wanted.id for wanted in query.credentials if wanted.id not in presentations]
        if missing:
            raise QueryNotSatisfied("presentation_missing", f"no presentation under {missing[0]}")
        return
    _satisfies_sets(query.credential_sets, frozenset(presentations))


def matches(query: CredentialQuery, candidate: Candidate) -> None:
    """Check one presented credential against its query (§6.1, §6.3, §6.4.1).

    Raises:
        QueryNotSatisfied: another format or type, no holder binding, an authority that was not
            named, a missing claim or another value.
    """
    if candidate.format is not query.format:
        raise QueryNotSatisfied("other_format", "the credential has another format than asked for")
    if query.types and not any(candidate.types.issuperset(option) for option in query.types):
        raise QueryNotSatisfied("other_type", "the credential has another type than asked for")
    if query.requires_holder_binding and not candidate.is_holder_bound:
        raise QueryNotSatisfied("not_holder_bound", "the credential has no holder's proof")
    if query.trusted_authorities and not any(
        (authority.type, value) in candidate.authorities
        for authority in query.trusted_authorities
        for value in authority.values
    ):
        raise QueryNotSatisfied("authority_not_named", "none of the named authorities certifies it")
    if not query.claims:
        return
    if not query.claim_sets:
        for claim in query.claims:
            _match_claim(claim, candidate.credential)
        return
    by_id = {claim.id: claim for claim in query.claims}
    first: QueryNotSatisfied | None = None
    for option in query.claim_sets:
        try:
            for claim_id in option:
                _match_claim(by_id[claim_id], candidate.credential)
        except QueryNotSatisfied as refusal:
            first = first or refusal
        else:
            return
    raise first or QueryNotSatisfied("claim_missing", "no combination of claims is complete")


def select(path: ClaimPath, credential: object) -> list[Any]:
    """The elements that a claims path pointer selects (§7.1.1); step numbers are the section's.

    Raises:
        QueryNotSatisfied: the pointer meets another kind of value, or selects nothing.
    """
    selected: list[Any] = [credential]  # step 1
    for element in path:  # step 2
        following: list[Any] = []
        for value in selected:
            if isinstance(element, str):  # step 2.1
                if not isinstance(value, dict):
                    raise QueryNotSatisfied("claim_missing", "a claim path meets no object")
                if element in value:
                    following.append(value[element])
            elif not isinstance(value, list):  # steps 2.2 and 2.3
                raise QueryNotSatisfied("claim_missing", "a claim path meets no array")
            elif element is None:
                following.extend(value)
            elif element < len(value):
                following.append(value[element])
        selected = following
    if not selected:  # step 3
        raise QueryNotSatisfied("claim_missing", "a claim that was asked for is not there")
    return selected


def keep_only(paths: Sequence[ClaimPath], value: Any) -> Any:
    """A copy of `value` with what `paths` select and nothing else.

    Array elements that no path selects are left out, so indices may move.
    """
    if any(not path for path in paths):
        return value
    if isinstance(value, dict):
        kept = {}
        for name, member in value.items():
            deeper = [path[1:] for path in paths if path[0] == name]
            if deeper:
                kept[name] = keep_only(deeper, member)
        return kept
    if isinstance(value, list):
        items = []
        for index, item in enumerate(value):
            deeper = [
                path[1:]
                for path in paths
                if path[0] is None or (isinstance(path[0], int) and path[0] == index)
            ]
            if deeper:
                items.append(keep_only(deeper, item))
        return items
    return None  # a path goes on where the value has ended: nothing was asked of it


def _satisfies_sets(sets: Sequence[CredentialSetQuery], present: frozenset[str]) -> None:
    known = {query_id for item in sets for option in item.options for query_id in option}
    if present - known:
        raise QueryNotSatisfied("presentation_not_asked", "a presentation that no set asks for")
    for item in sets:
        if item.required and not any(present.issuperset(option) for option in item.options):
            raise QueryNotSatisfied(
                "presentation_missing", "no option of a required set of credentials is complete"
            )


def _match_claim(claim: ClaimQuery, credential: JsonObject) -> None:
    selected = select(claim.path, credential)
    if claim.values and not any(
        type(value) is type(wanted) and value == wanted
        for value in selected
        for wanted in claim.values
    ):
        raise QueryNotSatisfied("claim_value", "a claim has another value than asked for")
