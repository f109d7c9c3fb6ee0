"""Attested wallets (attestation-based client authentication), where an agency asks for them."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from identity.core.attesters import Attesters
from identity.core.certificates import Subject, make_leaf, make_root
from identity.core.client_attestation import ClientTrust
from identity.core.jose import sign_compact
from identity.core.signing import NamedSigner
from identity.issuer.parts import AgencyOptions
from tests.identity.core.test_certificates import key
from tests.identity.issuer.code_flow import CLIENT, CodeFlow, error_of
from tests.identity.issuer.workbench import BASE, START, Randomness, Workbench

PROVIDER, OTHER, INSTANCE, THIEF = (
    key(name) for name in ("provider", "other provider", "wallet instance", "thief")
)
ROOT = make_root(
    key("provider root"), name="Provider root", country="CN", now=START, random=Randomness()
)
LEAF = make_leaf(
    Subject(name="Provider", country="CN", url="https://p.example", key=OTHER.key),
    root=ROOT,
    private=key("provider root"),
    now=START,
    random=Randomness(),
)


def _bench(folder: Path, *, required: bool) -> Workbench:
    trust = ClientTrust(Attesters((PROVIDER.key,), (ROOT,)), required)
    return Workbench(folder, options=AgencyOptions(clients=trust))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return _bench(tmp_path, required=True)


@pytest.fixture
def flow(bench: Workbench) -> CodeFlow:
    return CodeFlow(bench)


def _signed(signer: Any, typ: str, claims: dict[str, Any], **header: Any) -> str:
    return sign_compact(
        header={"typ": typ, **header},
        payload={name: value for name, value in claims.items() if value is not None},
        signer=NamedSigner(signer, "who"),
    )


def _headers(
    bench: Workbench,
    *,
    provider: Any = PROVIDER,
    instance: Any = INSTANCE,
    typ: str = "oauth-client-attestation+jwt",
    pop_typ: str = "oauth-client-attestation-pop+jwt",
    header: dict[str, Any] | None = None,
    attestation: dict[str, Any] | None = None,
    **pop: Any,
) -> dict[str, str]:
    now = int(bench.clock().timestamp())
    attested = {
        "iss": "https://provider.example",
        "sub": CLIENT,
        "iat": now - 60,
        "exp": now + 3600,
        "cnf": {"jwk": INSTANCE.key.jwk},
        **(attestation or {}),
    }
    proof = {"iss": CLIENT, "aud": bench.issuer, "iat": now, "jti": bench.random(8).hex(), **pop}
    return {
        "OAuth-Client-Attestation": _signed(provider, typ, attested, **(header or {})),
        "OAuth-Client-Attestation-PoP": _signed(instance, pop_typ, proof),
    }


def test_an_attested_wallet_goes_through_the_code_flow(flow: CodeFlow, bench: Workbench) -> None:
    code = flow.code(_headers(bench))

    assert flow.token(code, _headers(bench)).status_code == 200


def test_an_attested_wallet_need_not_name_itself_at_the_token_endpoint(
    flow: CodeFlow, bench: Workbench
) -> None:
    """As the example of the draft: it is authenticated, so RFC 6749 §4.1.3 asks no client_id."""
    code = flow.code(_headers(bench))
    stranger = {"sub": "https://other.example"}

    stolen = flow.token(
        code, _headers(bench, attestation=stranger, iss="https://other.example"), client_id=""
    )

    assert (stolen.status_code, error_of(stolen)["error"]) == (400, "invalid_grant")
    assert flow.token(code, _headers(bench), client_id="").status_code == 200


def test_an_attestation_may_carry_a_chain_to_a_trusted_root(
    flow: CodeFlow, bench: Workbench
) -> None:
    chain = {"x5c": [b64encode(LEAF).decode()]}

    assert flow.push(_headers(bench, provider=OTHER, header=chain)).status_code == 201
    forged = flow.push(_headers(bench, provider=THIEF, header=chain))
    assert error_of(forged)["error"] == "invalid_client"


def test_a_wallet_without_an_attestation_gets_no_further(flow: CodeFlow, bench: Workbench) -> None:
    code = flow.code(_headers(bench))

    pushed, redeemed = flow.push(), flow.token(code)
    form = bench.token_form(bench.offer())
    pre_authorized = bench.http.post(f"{bench.issuer}/token", data=form)

    for answer in (pushed, redeemed, pre_authorized):
        assert (answer.status_code, error_of(answer)["error"]) == (400, "invalid_client")
    attested = bench.http.post(f"{bench.issuer}/token", data=form, headers=_headers(bench))
    assert attested.status_code == 200  # anonymous: no client_id to compare


@pytest.mark.parametrize(
    "change",
    [
        {"provider": OTHER},
        {"instance": THIEF},
        {"typ": "JWT"},
        {"pop_typ": "JWT"},
        {"header": {"x5c": []}},
        {"header": {"x5c": ["AAAA"]}},
        {"attestation": {"exp": None}},
        {"attestation": {"exp": 1}},
        {"attestation": {"exp": "soon"}},
        {"attestation": {"nbf": 1 << 40}},
        {"attestation": {"iat": 1 << 40}},
        {"attestation": {"sub": None}},
        {"attestation": {"sub": "https://other.example"}, "iss": None},
        {"attestation": {"cnf": None}},
        {"attestation": {"cnf": {"jwk": {**INSTANCE.key.jwk, "d": "AA"}}}},
        {"iss": "https://other.example"},
        {"aud": None},
        {"aud": BASE},
        {"aud": ["https://id.example/issuers/registrar", "https://other.example"]},
        {"iat": None},
        {"iat": 1},
        {"iat": 1 << 40},
        {"exp": 1},
        {"jti": None},
        {"jti": "x" * 300},
    ],
)
def test_a_bad_attestation_or_proof_is_refused(
    flow: CodeFlow, bench: Workbench, change: dict[str, Any]
) -> None:
    assert flow.push(_headers(bench)).status_code == 201

    answer = flow.push(_headers(bench, **change))

    assert (answer.status_code, error_of(answer)["error"]) == (400, "invalid_client")


def test_a_proof_is_taken_once_and_never_alone(flow: CodeFlow, bench: Workbench) -> None:
    headers = _headers(bench)
    assert flow.push(headers).status_code == 201

    again = flow.push(headers)
    half = flow.push({name: text for name, text in _headers(bench).items() if "PoP" not in name})

    assert error_of(again)["error_description"].endswith("it was used before")
    assert error_of(half)["error"] == "invalid_client"


def test_where_it_is_offered_only_a_bad_one_is_refused_and_none_is_fine(tmp_path: Path) -> None:
    bench = _bench(tmp_path, required=False)
    flow = CodeFlow(bench)

    assert flow.push().status_code == 201
    assert flow.push(_headers(bench)).status_code == 201
    assert error_of(flow.push(_headers(bench, provider=OTHER)))["error"] == "invalid_client"


def test_what_an_attested_wallet_asked_for_is_for_no_other(tmp_path: Path) -> None:
    bench = _bench(tmp_path, required=False)
    flow = CodeFlow(bench)
    code = flow.code(_headers(bench))

    stolen = flow.token(code)

    assert (stolen.status_code, error_of(stolen)["error"]) == (400, "invalid_client")
    assert flow.token(code, _headers(bench)).status_code == 200
    assert flow.token(flow.code()).status_code == 200  # nobody said who asks


@pytest.mark.parametrize("required", [True, False])
def test_the_metadata_say_how_wallets_prove_themselves(tmp_path: Path, required: bool) -> None:
    bench = _bench(tmp_path, required=required)

    address = f"{BASE}/.well-known/oauth-authorization-server/issuers/registrar"
    document = bench.http.get(address).json()

    methods = document["token_endpoint_auth_methods_supported"]
    assert methods == ["attest_jwt_client_auth", *([] if required else ["none"])]
    assert "ES256" in document["client_attestation_signing_alg_values_supported"]
    assert "ES256" in document["client_attestation_pop_signing_alg_values_supported"]
    assert document["pre-authorized_grant_anonymous_access_supported"] is not required


def test_nobody_is_asked_where_nobody_is_trusted(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    flow = CodeFlow(bench)

    headers = {"OAuth-Client-Attestation": "x", "OAuth-Client-Attestation-PoP": "y"}

    assert flow.push(headers).status_code == 201  # as any header that means nothing here
