"""Whatever bytes or JSON arrive, the parsers of proofs answer with a refusal or a value."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.any_trust_anchor import parse_trust_anchor
from registry.core.checkpoint import verify_head
from registry.core.receipt import parse_receipt, verify_receipt
from registry.core.refusals import Refusal
from registry.core.signed_note import parse_note, parse_verifier_key
from registry.core.sparse_map import parse_map_proof
from tests.registry.core.heads import NOW
from tests.registry.core.test_receipt import ANCHOR, DIGESTS, GOOD

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | st.sampled_from(["AAAA", "A" * 43, "batch", "test-1", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*GOOD, *GOOD["batch"], *GOOD["proof"], "other", "heads", "roots"]),
            inner,
            max_size=8,
        )
    ),
    max_leaves=20,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there is something to change in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in inner:
            found += places_in(item, (*path, name))
    return found


@pytest.mark.parametrize("parse", [parse_map_proof, parse_receipt, parse_trust_anchor])
@given(value=JSON)
def test_any_json_is_refused_or_read(parse: Callable[[object], object], value: Any):
    with contextlib.suppress(Refusal):
        parse(value)


@given(st.text() | st.binary())
def test_any_text_is_refused_as_a_note(unverified: str | bytes):
    with contextlib.suppress(Refusal):
        parse_note(unverified)
    with pytest.raises(Refusal):
        verify_head(unverified, ANCHOR, now=NOW)


@given(st.data())
def test_any_note_like_text_is_refused_as_a_head(data: st.DataObject):
    lines = GOOD["head"].split("\n")
    spoiled = data.draw(st.integers(0, len(lines) - 1))
    lines[spoiled] = data.draw(st.text(max_size=80).filter(lambda line: line != lines[spoiled]))

    with pytest.raises(Refusal):
        verify_head("\n".join(lines), ANCHOR, now=NOW)


@given(st.text() | st.none() | st.integers())
def test_any_text_is_refused_as_a_verifier_key(text: object):
    with pytest.raises(Refusal):
        parse_verifier_key(text)


PLACES = [place for place in places_in(GOOD) if len(place) < 4]


@given(st.data())
def test_a_receipt_with_anything_replaced_is_refused(data: st.DataObject):
    forged = copy.deepcopy(GOOD)
    *way, last = data.draw(st.sampled_from(PLACES))
    parent = forged
    for name in way:
        parent = parent[name]
    before = copy.deepcopy(parent[last])
    replacement = data.draw(JSON | st.sampled_from([[], {}, 0, 1, True, "", GOOD, GOOD["proof"]]))
    parent[last] = replacement
    if replacement == before and type(replacement) is type(before):
        return

    with pytest.raises(Refusal):
        verify_receipt(parse_receipt(forged), digest=DIGESTS[3], anchor=ANCHOR, now=NOW)
