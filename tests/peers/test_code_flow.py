"""Wallets of others: the code flow with PAR, DPoP, ten copies, deferred; and a draft 15 client."""

from collections.abc import Iterator

import pytest

from registry.core.encoding import JsonObject
from tests.identity.issuer.workbench import payload_of
from tests.peers import run_node
from tests.scenarios.installation import Installation, person

pytestmark = pytest.mark.slow
AGENCY = "issuer:civil-registry"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("code-flow"))
    try:
        made.start()
        yield made
    finally:
        made.close()


def _walk(here: Installation, who: int, *, copies: int = 10, **changes: object) -> JsonObject:
    body = {
        "subject": here.enrol(person(who)),
        "credential_type": "resident-identity",
        "grants": ["authorization_code"],
        **changes,
    }
    offer = here.call(here.post(AGENCY, "/offers", body))
    root = here.http.get(f"{here.base}/.well-known/cairn-root.pem").text
    walked: JsonObject = run_node(
        "openid4vc_code_flow.mjs",
        {
            "offer": offer["offer_uri"],
            "configuration": "resident-identity-sd-jwt",
            "copies": copies,
            "code": offer["identification_code"],
            "birthDate": person(who).birth_date,
            "redirectUri": "org.example.wallet://cb",
            "decide": {
                "url": f"{here.base}/issuers/civil-registry/deferred/{offer['offer']}",
                "key": here.keys[AGENCY],
            },
            "resolver": here.base,
            "rootPem": root,
        },
    )
    return walked


def test_openid4vc_gets_ten_copies_with_par_pkce_and_dpop(here: Installation) -> None:
    walked = _walk(here, 0)

    assert walked["flow"] == "Oauth2Redirect"
    assert "request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A" in walked["requestUrl"]
    assert walked["tokenType"] == "DPoP"
    assert any(path.endswith("/token") for path in walked["nonces"])
    bound = [payload_of(item)["cnf"]["jwk"] for item in walked["credentials"]]
    assert bound == [
        {name: jwk[name] for name in ("kty", "crv", "x", "y")} for jwk in walked["keys"]
    ]
    assert len(bound) == 10
    assert walked["notified"] is True
    assert walked["again"] == "invalid_nonce"  # a replayed key proof


def test_openid4vc_waits_for_the_agency_and_fetches(here: Installation) -> None:
    walked = _walk(here, 1, copies=2, deferred=True)

    assert walked["deferred"] is True
    assert len(walked["credentials"]) == 2
    assert walked["notified"] is False


def _sphereon(here: Installation, who: int, grant: str, **offered: object) -> JsonObject:
    body = {
        "subject": here.enrol(person(who)),
        "credential_type": "resident-identity",
        "grants": [grant],
        **offered,
    }
    offer = here.call(here.post(AGENCY, "/offers", body))
    message: JsonObject = {
        "offer": offer["offer_uri"],
        "configuration": "resident-identity-sd-jwt",
        "txCode": offer["tx_code"],
    }
    if grant == "authorization_code":
        message["citizen"] = {
            "code": offer["identification_code"],
            "birthDate": person(who).birth_date,
            "redirectUri": "org.example.wallet://cb",
        }
    received: JsonObject = run_node("sphereon_receive.mjs", message)
    return received


@pytest.mark.parametrize(
    ("who", "grant", "offered"),
    [
        (2, "pre-authorized_code", {"tx_code": True}),
        (3, "pre-authorized_code", {"tx_code": False}),
        (4, "authorization_code", {}),
    ],
)
def test_a_draft_15_client_with_its_one_proof_is_served(
    here: Installation, who: int, grant: str, offered: JsonObject
) -> None:
    received = _sphereon(here, who, grant, **offered)

    (credential,) = received["credentials"]
    held = {name: received["jwk"][name] for name in ("kty", "crv", "x", "y")}
    assert payload_of(credential)["cnf"]["jwk"] == held
