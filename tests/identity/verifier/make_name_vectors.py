"""Writes `wallet_app/tests/vectors/names.json`: requests under every name, as we sign them.

python -m tests.identity.verifier.make_name_vectors
"""

import json
import tempfile
from pathlib import Path

from tests.identity.verifier.stage import BASE
from tests.identity.verifier.workbench import Workbench

ASKED: dict[str, dict[str, object]] = {
    "did:cairn": {},
    "did:jwk": {"did": "jwk"},
    "did:web": {"did": "web"},
    "x509_hash": {"client_id_prefix": "x509_hash", "encrypted": True},
    "x509_san_dns": {"client_id_prefix": "x509_san_dns"},
}
TARGET = Path(__file__).parents[3] / "wallet_app" / "tests" / "vectors" / "names.json"


def make() -> str:
    """The vectors; the same in every run, because the stage has no randomness of its own."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Path(folder))
        cases = {}
        for name, body in ASKED.items():
            asked = bench.ask(**body)
            cases[name] = {
                "client_id": asked["client_id"],
                "matching_code": asked["matching_code"],
                "request": bench.client.get(asked["request_uri"].removeprefix(BASE)).text,
            }
        bench.engine.dispose()
        party = bench.stage.party
        return json.dumps(
            {
                "did": party.did,
                "key": party.request.key.multikey,
                "webDid": "did:web:id.example:verifiers:bar",
                "cases": cases,
            },
            indent=2,
        )


if __name__ == "__main__":
    TARGET.write_text(make() + "\n")
