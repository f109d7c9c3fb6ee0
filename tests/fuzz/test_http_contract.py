"""A small, counted run of `make fuzz`: no 5xx, and no status that the OpenAPI document hides."""

from pathlib import Path

import pytest

from tests.fuzz.http_contract import installation, run

EXAMPLES = 4
LEAST_OPERATIONS, LEAST_CALLS = 70, 250  # a document that shrinks would pass with nothing tested


@pytest.mark.slow
def test_no_operation_answers_what_it_does_not_document(tmp_path: Path) -> None:
    with installation(tmp_path) as (app, keys):
        called = run(app, keys, examples=EXAMPLES, seed=1)

    assert len(called) >= LEAST_OPERATIONS
    assert sum(called.values()) >= LEAST_CALLS
    assert "POST /issuers/{agency}/par" in called
