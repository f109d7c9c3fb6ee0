"""DCQL as in OpenID4VP 1.0 §6 and §7; the claims path examples are those of §7.3."""

import copy

import pytest

from identity.core.dcql import CredentialFormat, QueryMalformed, parse_dcql
from identity.core.dcql_answer import Candidate, QueryNotSatisfied, keep_only, satisfies, select

EXAMPLE = {  # §7.3
    "name": "Arthur Dent",
    "address": {"street_address": "42 Market Street", "locality": "Milliways"},
    "degrees": [
        {"type": "Bachelor of Science", "university": "University of Betelgeuse"},
        {"type": "Master of Science", "university": "University of Betelgeuse"},
    ],
    "nationalities": ["British", "Betelgeusian"],
}
VCT = "https://credentials.example.com/identity_credential"


def query(**changes):
    credential = {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}}
    return {"credentials": [{**credential, **changes}]}


def candidate(claims=None, **changes):
    values = {
        "format": CredentialFormat.SD_JWT_VC,
        "types": frozenset({VCT}),
        "credential": EXAMPLE if claims is None else claims,
        "is_holder_bound": True,
        "authorities": frozenset(),
    }
    return Candidate(**{**values, **changes})


def reason(parsed, presentations):
    with pytest.raises(QueryNotSatisfied) as caught:
        satisfies(parsed, presentations)
    return caught.value.reason


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        (("name",), ["Arthur Dent"]),
        (("address",), [EXAMPLE["address"]]),
        (("address", "street_address"), ["42 Market Street"]),
        (("degrees", None, "type"), ["Bachelor of Science", "Master of Science"]),
        (("nationalities", 1), ["Betelgeusian"]),
    ],
)
def test_a_path_selects_what_the_specification_says(path, selected):
    assert select(path, EXAMPLE) == selected


@pytest.mark.parametrize(
    "path",
    [
        ("missing",),
        ("name", "first"),
        ("name", None),
        ("name", 0),
        ("nationalities", 2),
        ("address", None),
        ("address", 0),
        ("nationalities", "x"),
    ],
)
def test_a_path_that_selects_nothing_is_refused(path):
    with pytest.raises(QueryNotSatisfied):
        select(path, EXAMPLE)


def test_only_what_was_asked_is_kept():
    kept = keep_only(
        [("address", "locality"), ("degrees", None, "type"), ("nationalities", 1)], EXAMPLE
    )

    assert kept == {
        "address": {"locality": "Milliways"},
        "degrees": [{"type": "Bachelor of Science"}, {"type": "Master of Science"}],
        "nationalities": ["Betelgeusian"],
    }


BROKEN = {
    "no credentials": {},
    "empty": {"credentials": []},
    "no object": {"credentials": ["x"]},
    "bad id": query(id="a b"),
    "long id": query(id="a" * 65),
    "no format": query(format=None),
    "format not verified here": query(format="mso_mdoc"),
    "no meta": query(meta=None),
    "no vct": query(meta={}),
    "flat type_values": query(format="ldp_vc", meta={"type_values": ["x"]}),
    "multiple no boolean": query(multiple="yes"),
    "binding no boolean": query(require_cryptographic_holder_binding=0),
    "claims empty": query(claims=[]),
    "path empty": query(claims=[{"path": []}]),
    "path negative": query(claims=[{"path": ["a", -1]}]),
    "path boolean": query(claims=[{"path": [True]}]),
    "path float": query(claims=[{"path": [1.5]}]),
    "claim twice": query(claims=[{"path": ["a"]}, {"path": ["a"]}]),
    "claim id twice": query(claims=[{"id": "x", "path": ["a"]}, {"id": "x", "path": ["b"]}]),
    "values empty": query(claims=[{"path": ["a"], "values": []}]),
    "values object": query(claims=[{"path": ["a"], "values": [{}]}]),
    "claim_sets without claims": query(claim_sets=[["a"]]),
    "claim_sets without ids": query(claims=[{"path": ["a"]}], claim_sets=[["a"]]),
    "claim_sets unknown": query(claims=[{"id": "a", "path": ["a"]}], claim_sets=[["b"]]),
    "authorities empty": query(trusted_authorities=[]),
    "authority no values": query(trusted_authorities=[{"type": "aki"}]),
    "same id twice": {"credentials": query()["credentials"] * 2},
    "sets empty": {**query(), "credential_sets": []},
    "options empty": {**query(), "credential_sets": [{"options": []}]},
    "options unknown": {**query(), "credential_sets": [{"options": [["other"]]}]},
    "too many": {"credentials": [{**query()["credentials"][0], "id": f"q{n}"} for n in range(17)]},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_what_the_specification_does_not_allow_is_refused(broken):
    parse_dcql(query())

    with pytest.raises(QueryMalformed):
        parse_dcql(broken)


def test_unknown_members_are_ignored():
    parse_dcql({**query(future=1), "future": 2})


def test_every_claim_is_wanted_when_there_are_no_claim_sets():
    parsed = parse_dcql(query(claims=[{"path": ["name"]}, {"path": ["address", "locality"]}]))

    satisfies(parsed, {"pid": [candidate()]})
    assert reason(parsed, {"pid": [candidate({"name": "x"})]}) == "claim_missing"


def test_one_of_the_claim_sets_is_enough():
    claims = [{"id": name, "path": [name]} for name in ("a", "b", "c")]
    parsed = parse_dcql(query(claims=claims, claim_sets=[["a", "b"], ["c"]]))

    satisfies(parsed, {"pid": [candidate({"a": 1, "b": 2})]})
    satisfies(parsed, {"pid": [candidate({"c": 3})]})
    assert reason(parsed, {"pid": [candidate({"a": 1})]}) == "claim_missing"


@pytest.mark.parametrize(
    ("values", "value", "fits"),
    [
        ([True], True, True),
        ([True], False, False),
        ([True], 1, False),
        ([1], True, False),
        (["1"], 1, False),
        ([1, 2], 2, True),
        (["x"], "X", False),
        ([1], 1.0, False),
    ],
)
def test_values_match_by_type_and_value(values, value, fits):
    parsed = parse_dcql(query(claims=[{"path": ["a"], "values": values}]))
    answer = {"pid": [candidate({"a": value})]}

    if fits:
        satisfies(parsed, answer)
    else:
        assert reason(parsed, answer) == "claim_value"


def test_one_presentation_unless_multiple():
    assert reason(parse_dcql(query()), {"pid": [candidate()] * 2}) == "too_many_presentations"
    satisfies(parse_dcql(query(multiple=True)), {"pid": [candidate()] * 2})
    assert reason(parse_dcql(query(multiple=True)), {"pid": []}) == "presentation_missing"
    assert (
        reason(parse_dcql(query(multiple=True)), {"pid": [candidate()] * 17})
        == "too_many_presentations"
    )


def test_every_one_of_multiple_must_match():
    parsed = parse_dcql(query(multiple=True, claims=[{"path": ["name"]}]))

    assert reason(parsed, {"pid": [candidate(), candidate({})]}) == "claim_missing"


def test_holder_binding_is_wanted_unless_the_query_says_otherwise():
    bare = candidate(is_holder_bound=False)

    assert reason(parse_dcql(query()), {"pid": [bare]}) == "not_holder_bound"
    satisfies(parse_dcql(query(require_cryptographic_holder_binding=False)), {"pid": [bare]})


def test_a_named_authority_must_certify():
    parsed = parse_dcql(query(trusted_authorities=[{"type": "aki", "values": ["a", "b"]}]))

    satisfies(parsed, {"pid": [candidate(authorities=frozenset({("aki", "b")}))]})
    assert reason(parsed, {"pid": [candidate()]}) == "authority_not_named"
    other = candidate(authorities=frozenset({("etsi_tl", "b")}))
    assert reason(parsed, {"pid": [other]}) == "authority_not_named"


def test_all_types_of_one_alternative_are_wanted():
    parsed = parse_dcql(query(format="ldp_vc", meta={"type_values": [["vc", "a"], ["vc", "b"]]}))
    ldp = CredentialFormat.LDP_VC

    satisfies(parsed, {"pid": [candidate(format=ldp, types=frozenset({"vc", "b", "x"}))]})
    mixed = candidate(format=ldp, types=frozenset({"a", "b"}))
    assert reason(parsed, {"pid": [mixed]}) == "other_type"
    assert reason(parsed, {"pid": [candidate()]}) == "other_format"


def test_credential_sets():
    one = query()["credentials"][0]
    parsed = parse_dcql(
        {
            "credentials": [{**one, "id": name} for name in ("pid", "a", "b", "nice", "unused")],
            "credential_sets": [
                {"options": [["pid"], ["a", "b"]]},
                {"options": [["nice"]], "required": False},
            ],
        }
    )
    shown = [candidate()]

    satisfies(parsed, {"pid": shown})
    satisfies(parsed, {"a": shown, "b": shown})
    satisfies(parsed, {"pid": shown, "nice": shown})
    assert reason(parsed, {"a": shown}) == "presentation_missing"
    assert reason(parsed, {"nice": shown}) == "presentation_missing"
    assert reason(parsed, {"pid": shown, "unused": shown}) == "presentation_not_asked"
    assert reason(parsed, {"pid": shown, "else": shown}) == "presentation_not_asked"
    assert reason(parsed, {}) == "presentation_missing"


def test_without_sets_every_credential_is_wanted():
    one = query()["credentials"][0]
    parsed = parse_dcql({"credentials": [one, {**one, "id": "second"}]})

    assert reason(parsed, {"pid": [candidate()]}) == "presentation_missing"


def test_evaluation_changes_nothing():
    before = copy.deepcopy(EXAMPLE)
    keep_only([("degrees", 0, "type")], EXAMPLE)

    assert before == EXAMPLE
