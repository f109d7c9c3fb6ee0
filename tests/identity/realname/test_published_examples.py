"""Each scheme against the published examples of its manual: the right ones, and the wrong ones."""

import ast
import doctest
from datetime import date
from importlib import import_module

import pytest

from identity.adapters.stdnum_schemes import _SCHEMES, StdnumScheme
from identity.core.national_id import NationalIdNotValid

TODAY = date(2026, 1, 1)
SCHEMES = [
    (country, module, row) for country, rows in _SCHEMES.items() for module, row in rows.items()
]
# The manual of the library has no right example of a person here; of public sources instead.
MORE_VALID = {
    "ad.nrt": ["F-132950-X"],
    "bg.egn": ["801205 603 7"],
    "dk.cpr": ["211062-0629"],
    "gh.tin": ["P0000803561"],
    "kr.rrn": ["880131-1000000"],
    "mu.nid": ["J2906201304089"],
    "ie.pps": ["6433435F"],
    "ke.pin": ["A004416331M"],
    "lv.pvn": ["161175-19997"],
    "pt.nif": ["123456789"],
    "us.itin": ["912-90-3456"],
    "ve.rif": ["V-11470283-4"],
    "it.codicefiscale": ["RCCMNL83S18D969H"],
}

MORE_WRONG = {"mu.nid": ["J2906201304088", "J3906201304089"], "pk.cnic": ["34201-0891231", "0"]}
# Wrong in the manual for where a dash stands alone. To us a dash says nothing there.
DASHES = {"1112-23333", "9129-03456"}


def published(module: str) -> tuple[list[str], list[str]]:
    """Right and wrong numbers of `validate` in the manual of a module."""
    found: tuple[list[str], list[str]] = ([], [])
    text = import_module(f"stdnum.{module}").__doc__ or ""
    for example in doctest.DocTestParser().get_examples(text):
        call = ast.parse(example.source).body[0]
        if (
            isinstance(call, ast.Expr)
            and isinstance(call.value, ast.Call)
            and getattr(call.value.func, "id", "") == "validate"
            and len(call.value.args) == 1
            and not call.value.keywords
            and isinstance(call.value.args[0], ast.Constant)
        ):
            found[example.exc_msg is not None].append(str(call.value.args[0].value))
    return found


def test_there_are_at_least_sixty_personal_schemes_with_published_examples() -> None:
    assert len(SCHEMES) >= 60
    assert len({module for _, module, _ in SCHEMES}) >= 56  # five states share one
    assert sum(len(published(module)[1]) for _, module, _ in SCHEMES) >= 80


@pytest.mark.parametrize(("country", "module", "row"), SCHEMES, ids=lambda v: str(v)[:20])
def test_a_published_number_is_read_and_a_wrong_one_refused(country, module, row) -> None:
    scheme = StdnumScheme(country, module, row)
    right, wrong = published(module)
    right += MORE_VALID.get(module, [])
    wrong += MORE_WRONG.get(module, [])
    read = 0
    for number in right:
        try:
            parsed = scheme.parse(number, today=TODAY)
        except NationalIdNotValid:
            continue  # a company, or somebody of the nineteenth century
        assert parsed.country == country
        assert scheme.parse(parsed.number, today=TODAY).number == parsed.number
        read += 1
    assert read >= 1
    assert wrong, "no wrong example"
    for number in set(wrong) - DASHES:
        with pytest.raises(NationalIdNotValid) as refusal:
            scheme.parse(number, today=TODAY)
        assert len(number) < 4 or number not in refusal.value.detail
