"""Every endpoint that changes or judges something, and the signed kinds that it takes.

A new endpoint makes this fail until somebody has said what it takes, and entered that in the matrix
of `test_type_confusion`. `tests/contract/vc_api/test_confusion.py` sends all kinds to the VC API.
"""

import secrets
from pathlib import Path

import pytest

from identity.compose import compose
from identity.config import load_settings
from tests.attacks.signed_kinds import TAKERS
from tests.attacks.signed_messages import MESSAGES

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = (
    *("SD-JWT VC", "vc+jwt envelope", "vc+sd-jwt envelope", "vc+cose envelope"),
    *("application/jwt credential", "embedded credential"),
)
PRESENTATIONS = (
    *("SD-JWT VC", "key binding", "vp+jwt envelope", "vp+sd-jwt envelope", "vp+cose envelope"),
    *("application/jwt presentation", "embedded presentation", *CREDENTIALS),
)
NOTHING: tuple[str, ...] = ()
DPOP = ("DPoP",)
CLIENT = ("client attestation", "client attestation proof")
TAKES: dict[str, tuple[str, ...]] = {
    "/issuers/{agency}/authorize": NOTHING,
    "/issuers/{agency}/cases/{case}/appeal": NOTHING,
    "/issuers/{agency}/credential": ("key proof", "key attestation", *DPOP),
    "/issuers/{agency}/credentials/derive": ("embedded credential",),
    "/issuers/{agency}/credentials/issue": NOTHING,
    "/issuers/{agency}/credentials/status": NOTHING,
    "/issuers/{agency}/deferred-credential": DPOP,
    "/issuers/{agency}/deferred/{offer}": NOTHING,
    "/issuers/{agency}/doubles": NOTHING,
    "/issuers/{agency}/enrolments": NOTHING,
    "/issuers/{agency}/false-deaths": NOTHING,
    "/issuers/{agency}/guardians": ("SD-JWT VC", "guardian order"),
    "/issuers/{agency}/guardians/recoveries": ("key proof",),
    "/issuers/{agency}/guardians/recoveries/{recovery}/approvals": ("guardian approval",),
    "/issuers/{agency}/guardians/recoveries/{recovery}/completion": ("key proof",),
    "/issuers/{agency}/identification-codes": NOTHING,
    "/issuers/{agency}/issuances/revoke-all": NOTHING,
    "/issuers/{agency}/issuances/search": NOTHING,
    "/issuers/{agency}/issuances/{credential}/status": NOTHING,
    "/issuers/{agency}/life-events": NOTHING,
    "/issuers/{agency}/nonce": NOTHING,
    "/issuers/{agency}/notification": DPOP,
    "/issuers/{agency}/offers": NOTHING,
    "/issuers/{agency}/offers/{offer}": NOTHING,
    "/issuers/{agency}/par": (*CLIENT, *DPOP),
    "/issuers/{agency}/record": ("SD-JWT VC", "key binding"),
    "/issuers/{agency}/recoveries": NOTHING,
    "/issuers/{agency}/sittings": NOTHING,
    "/issuers/{agency}/sittings/{ticket}/confirmation": NOTHING,
    "/issuers/{agency}/token": (*CLIENT, *DPOP),
    "/registry/transactions": ("transaction",),
    "/rendezvous": NOTHING,
    "/review/cases/{case}/carry-out": NOTHING,
    "/review/cases/{case}/decision": NOTHING,
    "/verifiers/{party}/credentials/derive": ("embedded credential",),
    "/verifiers/{party}/credentials/verify": CREDENTIALS,
    "/verifiers/{party}/presentations/verify": PRESENTATIONS,
    "/verifiers/{party}/requests": NOTHING,
    "/verifiers/{party}/requests/{request_id}/object": NOTHING,
    "/verifiers/{party}/requests/{request_id}/response": (*PRESENTATIONS, "pseudonym"),
}


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Paths of the whole installation that are asked with another method than GET."""
    server = {"data_dir": tmp_path_factory.mktemp("endpoints")}
    settings = load_settings(ROOT / "deploy" / "demo.toml", server=server)
    composition = compose(settings, random=secrets.token_bytes)
    composition.start()
    try:
        paths = composition.app.openapi()["paths"]
    finally:
        composition.close()
    return {path for path, methods in paths.items() if set(methods) - {"get", "head", "options"}}


def test_it_is_said_of_every_endpoint_what_signed_kind_it_takes(endpoints: set[str]):
    assert endpoints == set(TAKES)


def test_what_they_take_is_in_the_matrix():
    named = {kind for kinds in TAKES.values() for kind in kinds}

    assert named <= set(TAKERS) | set(MESSAGES)
    assert len(named) >= 14
