"""Each step of the verifier, switched off by itself, turns something red.

`switches.toml` names for each step one case that notices: a single fault, a probe, a test, or
mutations of a kind. Steps are found in the sources; a step without an entry fails here.
"""

import inspect
import itertools
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.adversary import plan, trial
from tests.identity.core.verification.faults import FAULTS, run_fault
from tests.identity.core.verification.probes import PROBES
from tests.identity.core.verification.switching import Step, steps, switched_off

SWITCHES: dict[str, str] = tomllib.loads(
    Path(__file__).with_name("switches.toml").read_text("utf-8")
)["noticed_by"]
# Switched off, these change nothing that anybody sees: what comes after them refuses as well.
_BOUND = "not isinstance(text, str) or len(text) > MAX_ENVELOPE_CHARS"
EQUIVALENT = {
    "verification.status_check._text: not isinstance(value, str)": "the decoder takes texts only",
    f"verification.envelopes.open_jwt: {_BOUND}": "the JWS parser has the same bound",
}
_MODULES = {
    name.rpartition(".")[2]: name
    for name in (
        "tests.identity.core.verification.test_verdict_and_policy",
        "tests.identity.core.verification.test_single_faults",
        "tests.identity.core.test_cose",
        "tests.identity.core.test_json_schema",
        "tests.identity.core.test_jose",
        "tests.identity.core.test_sd_jwt",
        "tests.identity.core.test_sd_jwt_vc",
        "tests.identity.core.test_data_integrity",
        "tests.identity.core.test_pseudonym",
    )
}
MUTATIONS = 150
_KINDS: dict[str, Any] = {}


def _arguments(function: Any) -> Iterator[dict[str, Any]]:
    """Every set of arguments that the marks of a parametrized test give it."""
    choices = []
    for mark in getattr(function, "pytestmark", ()):
        if mark.name != "parametrize":
            continue
        names = mark.args[0]
        names = [part.strip() for part in names.split(",")] if isinstance(names, str) else names
        values = []
        for value in mark.args[1]:
            given = getattr(value, "values", None) if hasattr(value, "marks") else None
            given = given or ((value,) if len(names) == 1 else value)
            values.append(dict(zip(names, given, strict=True)))
        choices.append(values)
    for chosen in itertools.product(*choices):
        yield {name: value for part in chosen for name, value in part.items()}


@cache
def _tests(module: str) -> dict[str, Callable[[], None]]:
    found = {}
    for name, function in vars(import_module(_MODULES[module])).items():
        if not name.startswith("test_"):
            continue
        for number, given in enumerate(_arguments(function)):
            if set(inspect.signature(function).parameters) <= set(given):
                call = lambda function=function, given=given: function(**given)  # noqa: E731
                found[f"{name}[{number}]" if given else name] = call
    return found


def case(name: str) -> Callable[[], None]:
    """What a name in `switches.toml` stands for."""
    kind, _, rest = name.partition(" ")
    if kind == "probe":
        return PROBES[rest]
    if kind == "fault":
        (fault,) = [fault for fault in FAULTS if f"{fault} {fault.format}" == rest]
        return lambda: run_fault(fault)
    if kind == "mutations":
        if rest not in _KINDS:
            makers = {**plan.ENVELOPED, **plan.STRICT, **plan.EMBEDDED}
            _KINDS[rest] = makers[rest][1]()
        return lambda: _mutate(rest)
    module, _, test = rest.partition("::")
    return _tests(module)[test]


def _mutate(name: str) -> None:
    trial.run(_KINDS[name], MUTATIONS)


STEPS = {str(step): step for step in steps()}


def test_every_step_of_the_verifier_has_a_case_that_notices():
    assert len(STEPS) == len(steps()) >= 200
    assert set(SWITCHES) | set(EQUIVALENT) == set(STEPS)
    assert not set(SWITCHES) & set(EQUIVALENT)
    assert len(EQUIVALENT) <= 2


@pytest.mark.parametrize("name", sorted(set(SWITCHES.values())))
def test_the_cases_are_green_while_nothing_is_switched_off(name: str):
    case(name)()


@pytest.mark.parametrize("name", SWITCHES)
def test_a_step_that_is_switched_off_turns_the_suite_red(name: str):
    step: Step = STEPS[name]
    noticed = case(SWITCHES[name])

    with switched_off(step), pytest.raises((Exception, pytest.fail.Exception)):
        noticed()


def test_nothing_stays_switched_off():
    for name in sorted(set(SWITCHES.values()))[:20]:
        case(name)()


@pytest.mark.parametrize("name", EQUIVALENT)
def test_the_steps_that_nobody_misses_are_really_doubled(name: str):
    """A healthy presentation stays healthy, and the probes stay green, without them."""
    with switched_off(STEPS[name]):
        for probe in (
            "an_envelope_has_the_context_and_a_bounded_address",
            "a_list_must_have_been_read_and_be_the_issuers_and_the_newest",
        ):
            PROBES[probe]()
