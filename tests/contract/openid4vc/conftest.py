"""What the tests of sections 1 and 2 share."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from identity.core.certificates import FixedChain
from tests.contract.openid4vc.whole import LEAF, Whole
from tests.identity.issuer.workbench import BASE


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    bench = Whole(tmp_path, certificates=FixedChain((LEAF,)))
    bench.__dict__["http"] = TestClient(
        bench.application(), base_url=BASE, raise_server_exceptions=True
    )
    return bench
