"""The published model-based cases: our light client agrees with every verdict."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.core.light_client.encodings import header_hash, light_block_bytes
from registry.core.light_client.light_block import NANOSECONDS
from registry.core.light_client.parsing import parse_light_block
from registry.core.light_client.rpc_json import (
    light_block_of_rpc,
    parse_rpc_time,
    validators_of_rpc,
)
from registry.core.light_client.verification import (
    LightRules,
    NotEnoughTrust,
    TrustedBlock,
    trusted_block,
    verify_later,
)
from registry.core.proofs import NotProven
from registry.core.refusals import Malformed
from tests.vectors import read_vector, vector_files

CASES = vector_files("light-client/light-client/tests/support/model_based/single_step/*.json")


def _trusted(value: dict[str, Any]) -> tuple[TrustedBlock, LightRules]:
    header = light_block_of_rpc(
        value["signed_header"], value["next_validator_set"]["validators"]
    ).header
    rules = LightRules(
        chain_id=header.chain_id,
        trusting_seconds=int(value["trusting_period"]) // NANOSECONDS,
        drift_seconds=1,
    )
    trusted = TrustedBlock(
        height=header.height,
        hash=header_hash(header),
        time=header.time,
        validators=validators_of_rpc(value["next_validator_set"]["validators"]),
        next_validators_hash=header.next_validators_hash,
    )
    return trusted, rules


def _verdict(step: dict[str, Any], trusted: TrustedBlock, rules: LightRules) -> tuple[str, Any]:
    block = step["block"]
    try:
        light = light_block_of_rpc(block["signed_header"], block["validator_set"]["validators"])
        assert parse_light_block(light_block_bytes(light)) == light
        committed = verify_later(light, trusted, rules, now=parse_rpc_time(step["now"]))
    except NotEnoughTrust:
        return "NOT_ENOUGH_TRUST", trusted
    except (NotProven, Malformed):  # some have neither votes nor validators: no light block at all
        return "INVALID", trusted
    following = block["next_validator_set"]["validators"]
    if not following:  # the model ends here, and nobody could sign the next block
        return "SUCCESS", None
    return "SUCCESS", replace(trusted_block(committed), validators=validators_of_rpc(following))


def test_the_published_cases_are_here():
    assert len(CASES) == 41
    assert sum(len(read_vector(case)["input"]) for case in CASES) == 99


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_published_verdicts(case: Path):
    vector = json.loads(case.read_text())
    trusted, rules = _trusted(vector["initial"])

    for step in vector["input"]:
        verdict, trusted = _verdict(step, trusted, rules)

        assert verdict == step["verdict"]
