"""docs/transactions.md names the members of the records that outside software reads."""

import json
import re
from pathlib import Path

import pytest

from registry.core.did import DETAIL_MEMBERS, OPTIONAL_DETAIL_MEMBERS
from tests.registry.core.actors import TestLedger
from tests.registry.core.story import story

PAGE = (Path(__file__).parents[3] / "docs" / "transactions.md").read_text("utf-8")
TABLE = dict(
    re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.partition("| `record` | members |\n")[2], re.M)
)
OPTIONAL = {"proposal", *OPTIONAL_DETAIL_MEMBERS}


def documented(kind: str) -> set[str]:
    """Member names in a row; what stands in parentheses is about the member before."""
    names = set(re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", TABLE[kind])))
    return names | set(DETAIL_MEMBERS) if kind == "did" else names


def test_the_table_is_there() -> None:
    assert set(TABLE) == {
        "did",
        "accreditation",
        "accreditations",
        "schema",
        "batch",
        "status",
        "status-list",
    }


@pytest.mark.parametrize("kind", sorted(TABLE))
def test_the_members_of_each_record(kind: str) -> None:
    ledger = TestLedger()
    for data in story():
        ledger.apply(data)

    found = [
        record for record in map(json.loads, ledger.state.values()) if record["record"] == kind
    ]

    assert found
    for record in found:
        members = set(record) - {"record"}
        assert members - OPTIONAL == documented(kind) - OPTIONAL
        if kind == "accreditation":
            assert all(set(item) == {"from", "to", "reason"} for item in record["suspensions"])
            assert record["ended"] is None or set(record["ended"]) == {"height", "reason"}
