"""Two relying parties that pool everything they saw, and the ways in which they try to match.

`Seen` is all that one party holds about one citizen: what she sent on every visit, decoded as far
as it can be. An attack says, for every citizen of the one party, who of the other's she is, and
gives how many it gets right. Guessing gets one right on average, whatever their number.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from identity.core.jose import parse_compact
from registry.core.encoding import JsonObject, base64url_decode, parse_json

Leaf = tuple[str, Any]


@dataclass
class Seen:
    """One citizen at one party. `leaves` are path and value of everything, over all visits."""

    citizen: int  # the truth, for counting alone
    leaves: list[Leaf]


def leaves_of(
    presentation: str, receipt: JsonObject, *, statement: str, pseudonym: str
) -> list[Leaf]:
    """Every value in an answer, with the path at which it stands.

    Args:
        statement: what came beside the presentation for the pseudonym.
        pseudonym: what the party's verdict made of it.
    """
    issued, *disclosures, binding = presentation.split("~")
    parts: list[tuple[str, Any]] = [("length", len(issued)), ("disclosures", len(disclosures))]
    for name, text in (("issued", issued), ("binding", binding), ("statement", statement)):
        parsed = parse_compact(text)
        parts += [(f"{name}.header", parsed.header), (f"{name}.payload", parsed.claims)]
        parts.append((f"{name}.signature", text.rpartition(".")[2]))
    parts += [("disclosure", parse_json(base64url_decode(item))) for item in disclosures]
    parts += [("receipt", receipt), ("pseudonym", pseudonym)]
    return [leaf for name, value in parts for leaf in _flat(name, value)]


def _flat(path: str, value: Any) -> Iterator[Leaf]:
    if isinstance(value, dict):
        yield f"{path}.#", len(value)
        for name, item in value.items():
            yield from _flat(f"{path}.{name}", item)
    elif isinstance(value, list):
        yield f"{path}.#", len(value)
        for item in value:
            yield from _flat(f"{path}[]", item)
    else:
        yield path, value


def matched_by_shared_values(
    ours: Sequence[Seen],
    theirs: Sequence[Seen],
    among: Callable[[str], bool] = lambda _path: True,
) -> int:
    """Anything that occurs at both, wherever it stands; what few have weighs more.

    `among` chooses the paths that are looked at. Hashes on the way from a leaf to a root are shared
    by whoever lies near, so they drown what stands elsewhere: look at the rest by itself as well.
    """
    owners: dict[Any, set[int]] = defaultdict(set)
    for index, seen in enumerate(theirs):
        for value in {_words(item) for path, item in seen.leaves if among(path)}:
            owners[value].add(index)
    guesses = []
    for seen in ours:
        score: Counter[int] = Counter()
        for value in {_words(item) for path, item in seen.leaves if among(path)}:
            for index in owners.get(value, ()):
                score[index] += 1 / len(owners[value])  # type: ignore[assignment]
        guesses.append(_best(score, len(theirs)))
    return _correct(ours, theirs, guesses)


def matched_by_field(ours: Sequence[Seen], theirs: Sequence[Seen], path: str) -> int:
    """The same set of values at one path; among equals, the first that is not taken."""
    return _by_signature(ours, theirs, {path})


def matched_by_all_fields(ours: Sequence[Seen], theirs: Sequence[Seen]) -> int:
    """The paths whose values are not different for everybody, all together."""
    useful = {
        path
        for path in paths_of(ours) & paths_of(theirs)
        if 1 < len({_signature(seen, {path}) for seen in ours}) < len(ours)
    }
    return _by_signature(ours, theirs, useful)


def matched_by_nearness(ours: Sequence[Seen], theirs: Sequence[Seen], path: str) -> int:
    """Numbers that lie close: an index that follows another, a time a second later."""
    there = [(min(_numbers(seen, path), default=0), index) for index, seen in enumerate(theirs)]
    guesses = []
    free = set(range(len(theirs)))
    for seen in ours:
        here = min(_numbers(seen, path), default=0)
        nearest = min(
            ((abs(value - here), index) for value, index in there if index in free),
            default=(0, 0),
        )
        free.discard(nearest[1])
        guesses.append(nearest[1])
    return _correct(ours, theirs, guesses)


def matched_by_rank(ours: Sequence[Seen], theirs: Sequence[Seen], path: str) -> int:
    """The same place in the order of the values at one path."""

    def ranked(people: Sequence[Seen]) -> list[int]:
        keys = [str(_signature(seen, {path})) for seen in people]
        numbers = [min(_numbers(seen, path), default=0) for seen in people]
        return sorted(range(len(people)), key=lambda i: (numbers[i], keys[i], i))

    guesses = dict(zip(ranked(ours), ranked(theirs), strict=True))
    return _correct(ours, theirs, [guesses[index] for index in range(len(ours))])


def paths_of(people: Sequence[Seen]) -> set[str]:
    """Every path at which anybody has a value."""
    return {path for seen in people for path, _ in seen.leaves}


def numeric_paths(people: Sequence[Seen]) -> set[str]:
    """Paths that hold whole numbers."""
    return {path for seen in people for path, item in seen.leaves if type(item) is int}


def _by_signature(ours: Sequence[Seen], theirs: Sequence[Seen], paths: set[str]) -> int:
    waiting: dict[Any, list[int]] = defaultdict(list)
    for index, seen in enumerate(theirs):
        waiting[_signature(seen, paths)].append(index)
    rest = set(range(len(theirs)))
    guesses: list[int | None] = []
    for seen in ours:
        found = waiting.get(_signature(seen, paths))
        guess = found.pop(0) if found else None
        rest.discard(guess if guess is not None else -1)
        guesses.append(guess)
    left = sorted(rest)
    return _correct(ours, theirs, [left.pop(0) if guess is None else guess for guess in guesses])


def _signature(seen: Seen, paths: set[str]) -> frozenset[Leaf]:
    return frozenset((path, _words(item)) for path, item in seen.leaves if path in paths)


def _numbers(seen: Seen, path: str) -> list[int]:
    return [item for where, item in seen.leaves if where == path and type(item) is int]


def _words(item: Any) -> Any:
    return (type(item).__name__, item)


def _best(score: Counter[int], count: int) -> int:
    if not score:
        return 0
    highest = max(score.values())
    return min(index for index in range(count) if score[index] >= highest - 1e-12)


def _correct(ours: Sequence[Seen], theirs: Sequence[Seen], guesses: Sequence[int]) -> int:
    return sum(
        theirs[guess].citizen == seen.citizen for seen, guess in zip(ours, guesses, strict=True)
    )
