"""Key attestations (OpenID4VCI 1.0 appendix D), where an agency demands them."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from identity.core.certificates import Subject, make_leaf, make_root
from identity.core.jose import sign_compact
from identity.core.key_attestation import AttestationDemand
from identity.core.signing import NamedSigner
from identity.issuer.parts import AgencyOptions
from tests.identity.core.test_certificates import key
from tests.identity.issuer.code_flow import error_of
from tests.identity.issuer.workbench import START, Randomness, Workbench, payload_of

CONFIGURATION = "resident-identity-sd-jwt"
PROVIDER, OTHER = key("provider"), key("other provider")
ROOT = make_root(
    key("provider root"), name="Provider root", country="CN", now=START, random=Randomness()
)
LEAF = make_leaf(
    Subject(name="Provider", country="CN", url="https://p.example", key=PROVIDER.key),
    root=ROOT,
    private=key("provider root"),
    now=START,
    random=Randomness(),
)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    demand = AttestationDemand(
        trusted_keys=(PROVIDER.key,), trusted_roots=(ROOT,), key_storage=("iso_18045_high",)
    )
    return Workbench(tmp_path, options=AgencyOptions(attestations={"resident-identity": demand}))


def _attestation(
    bench: Workbench, keys: list[Any], *, signer: Any = PROVIDER, header: Any = None, **changes: Any
) -> str:
    now = int(bench.clock().timestamp())
    claims = {
        "iat": now,
        "exp": now + 600,
        "attested_keys": [item.key.jwk for item in keys],
        "key_storage": ["iso_18045_high"],
        "nonce": bench.nonce(),
        **changes,
    }
    return sign_compact(
        header={"typ": "key-attestation+jwt", **(header or {})},
        payload={name: value for name, value in claims.items() if value is not None},
        signer=NamedSigner(signer, "provider"),
    )


def _with(bench: Workbench, holder: Any, attestation: str | None, **claims: Any) -> dict[str, Any]:
    header = {"typ": "openid4vci-proof+jwt", "jwk": holder.key.jwk}
    if attestation is not None:
        header["key_attestation"] = attestation
    return {"jwt": [bench.proof(holder, header=header, **claims)]}


def _ask(bench: Workbench, proofs: Any) -> Any:
    token = bench.token(bench.offer())
    return bench.request(token, {"credential_configuration_id": CONFIGURATION, "proofs": proofs})


def test_the_metadata_says_that_attestations_are_needed(bench: Workbench) -> None:
    configurations = bench.http.get(
        "/.well-known/openid-credential-issuer/issuers/registrar"
    ).json()["credential_configurations_supported"]

    for kind in ("jwt", "attestation"):
        proofs = configurations[CONFIGURATION]["proof_types_supported"][kind]
        assert proofs["key_attestations_required"] == {"key_storage": ["iso_18045_high"]}
        assert proofs["proof_signing_alg_values_supported"]
    assert list(configurations["residence-sd-jwt"]["proof_types_supported"]) == ["jwt"]


@pytest.mark.parametrize("header", [{}, {"x5c": [b64encode(LEAF).decode()]}])
def test_an_attestation_beside_a_proof_gives_a_copy_for_each_attested_key(
    bench: Workbench, header: dict[str, Any]
) -> None:
    keys = [bench.key() for _ in range(3)]

    answer = _ask(bench, _with(bench, keys[0], _attestation(bench, keys, header=header)))

    assert answer.status_code == 200, answer.text
    bound = [payload_of(item["credential"])["cnf"]["jwk"] for item in answer.json()["credentials"]]
    assert bound == [item.key.jwk for item in keys]


def test_an_attestation_alone_is_a_proof(bench: Workbench) -> None:
    keys = [bench.key() for _ in range(2)]

    answer = _ask(bench, {"attestation": [_attestation(bench, keys, exp=None)]})

    assert len(answer.json()["credentials"]) == 2


@pytest.mark.parametrize(
    ("kid", "names", "signs"),
    [
        ("0", [None, None], 0),  # the example of appendix F.1, and what EUDI wallets send
        ("1", [None, None], 1),
        ("mine", ["other", "mine"], 1),
        ("0", ["1", "0"], 1),  # what a key calls itself goes before its place
    ],
)
def test_a_kid_may_name_a_key_of_the_attestation_beside_it(
    bench: Workbench, kid: str, names: list[str | None], signs: int
) -> None:
    keys = [bench.key() for _ in names]
    listed = [
        {**item.key.jwk, **({"kid": name} if name else {})}
        for item, name in zip(keys, names, strict=True)
    ]
    header = {
        "typ": "openid4vci-proof+jwt",
        "kid": kid,
        "key_attestation": _attestation(bench, keys, attested_keys=listed),
    }

    answer = _ask(bench, {"jwt": [bench.proof(keys[signs], header=header)]})
    other = _ask(bench, {"jwt": [bench.proof(keys[1 - signs], header=header)]})

    assert answer.status_code == 200, answer.text
    bound = [payload_of(item["credential"])["cnf"]["jwk"] for item in answer.json()["credentials"]]
    assert sorted(jwk["x"] for jwk in bound) == sorted(item.key.jwk["x"] for item in keys)
    assert error_of(other)["error"] == "invalid_proof"


@pytest.mark.parametrize("kid", ["2", "-1", "00", "0x0", "", "twice", "\u0661"])
def test_a_kid_that_names_no_attested_key_is_refused(bench: Workbench, kid: str) -> None:
    keys = [bench.key() for _ in range(2)]
    listed = [{**item.key.jwk, "kid": "twice"} for item in keys]
    header = {
        "typ": "openid4vci-proof+jwt",
        "kid": kid,
        "key_attestation": _attestation(bench, keys, attested_keys=listed),
    }

    answer = _ask(bench, {"jwt": [bench.proof(keys[0], header=header)]})

    assert error_of(answer)["error"] == "invalid_proof"
    assert "names no key of its attestation" in answer.json()["error_description"]


def test_a_kid_is_looked_up_in_no_attestation_that_nobody_trusts(
    bench: Workbench, tmp_path: Path
) -> None:
    holder = bench.key()
    (tmp_path / "plain").mkdir()

    def with_kid(at: Workbench, signer: Any) -> Any:
        attestation = _attestation(at, [holder], signer=signer)
        header = {"typ": "openid4vci-proof+jwt", "kid": "0", "key_attestation": attestation}
        return _ask(at, {"jwt": [at.proof(holder, header=header)]})

    forged = with_kid(bench, OTHER)
    unasked = with_kid(Workbench(tmp_path / "plain"), PROVIDER)

    assert error_of(forged)["error"] == error_of(unasked)["error"] == "invalid_proof"
    assert "not signed by a provider" in forged.json()["error_description"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signer": OTHER}, "not signed by a provider"),
        ({"exp": None}, "exp is missing"),
        ({"exp": 1}, "expired"),
        ({"iat": 4_000_000_000}, "iat"),
        ({"iat": None}, "iat"),
        ({"key_storage": ["iso_18045_basic"]}, "key_storage"),
        ({"key_storage": None}, "key_storage"),
        ({"nonce": None}, "nonce is missing"),
        ({"attested_keys": []}, "attested_keys"),
        ({"attested_keys": [{"kty": "EC"}]}, "key attestation"),
        ({"header": {"x5c": []}}, "x5c"),
        ({"header": {"x5c": ["!"]}}, "x5c"),
        ({"header": {"x5c": [b64encode(ROOT).decode()]}}, "key attestation"),
        ({"header": {"typ": "JWT"}}, "not signed by a provider"),
    ],
)
def test_an_attestation_that_does_not_do_is_refused_with_the_reason(
    bench: Workbench, change: dict[str, Any], reason: str
) -> None:
    holder = bench.key()

    answer = _ask(bench, _with(bench, holder, _attestation(bench, [holder], **change)))

    assert answer.status_code == 400
    assert error_of(answer)["error"] == "invalid_proof"
    assert reason in answer.json()["error_description"]


def test_a_certificate_that_is_not_valid_now_counts_for_nothing(tmp_path: Path) -> None:
    demand = AttestationDemand(trusted_roots=(ROOT,), trusted_keys=())
    bench = Workbench(tmp_path, options=AgencyOptions(attestations={"resident-identity": demand}))
    bench.clock.forward(days=900)
    holder = bench.key()
    header = {"x5c": [b64encode(LEAF).decode()]}

    answer = _ask(bench, _with(bench, holder, _attestation(bench, [holder], header=header)))

    assert "not valid now" in error_of(answer)["error_description"]


def test_a_proof_without_or_with_anothers_attestation_is_refused(bench: Workbench) -> None:
    holder, other = bench.key(), bench.key()

    without = _ask(bench, _with(bench, holder, None))
    anothers = _ask(bench, _with(bench, holder, _attestation(bench, [other])))

    assert error_of(without)["error"] == error_of(anothers)["error"] == "invalid_proof"


def test_the_nonce_of_an_attestation_is_ours_and_used_once(bench: Workbench) -> None:
    holder = bench.key()
    foreign = _ask(bench, _with(bench, holder, _attestation(bench, [holder], nonce="A" * 43)))
    text = _attestation(bench, [holder])

    assert error_of(foreign)["error"] == "invalid_nonce"
    assert _ask(bench, _with(bench, holder, text)).status_code == 200
    assert error_of(_ask(bench, _with(bench, holder, text)))["error"] == "invalid_nonce"


def test_where_nothing_is_demanded_attestations_are_not_read(tmp_path: Path) -> None:
    plain = Workbench(tmp_path)
    holder = plain.key()

    beside = _ask(plain, _with(plain, holder, _attestation(plain, [holder], signer=OTHER)))
    alone = _ask(plain, {"attestation": [_attestation(plain, [holder])]})

    assert beside.status_code == 200
    assert error_of(alone)["error"] == "invalid_proof"
