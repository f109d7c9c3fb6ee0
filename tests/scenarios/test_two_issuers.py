"""Every issuing flow with its requests going in turn to two processes that share one PostgreSQL."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from registry.core.encoding import base64url_decode
from tests.identity.issuer.code_flow import REDIRECT, CodeFlow, dpop_proof
from tests.identity.issuer.wallet_side import WalletSide
from tests.identity.issuer.workbench import payload_of
from tests.postgres import Cluster
from tests.scenarios.front_door import FrontDoor, standing
from tests.scenarios.installation import DEMO, Installation, free_port, person

SCOPE = "resident-identity-sd-jwt"

pytestmark = pytest.mark.slow


@dataclass
class Two:
    """Two issuers behind one door, and the registry that both speak to."""

    door: FrontDoor
    issuers: tuple[Installation, Installation]


class Remote(WalletSide):
    """A wallet and an agency that speak to the door."""

    def __init__(self, two: Two, who: int) -> None:
        self.two = two
        self.http = httpx2.Client(timeout=30.0, trust_env=False)
        self.issuer = f"{two.door.base}/issuers/civil-registry"
        self.bearer = {"Authorization": f"Bearer {two.issuers[0].keys['issuer:civil-registry']}"}
        self.person = person(who)
        self.subject = two.issuers[0].enrol(self.person)
        two.door.taken.clear()

    def clock(self) -> datetime:
        """The real one."""
        return datetime.now(UTC)

    def random(self, size: int) -> bytes:
        """Real randomness."""
        return secrets.token_bytes(size)

    def check_both_took_part(self) -> None:
        """Neither of the two did it alone."""
        taken = [self.two.door.taken.get(item.address, 0) for item in self.two.issuers]
        assert min(taken) >= 2, taken
        assert max(taken) - min(taken) <= 1, taken

    def flow(self) -> CodeFlow:
        """The code flow for this person."""
        return CodeFlow(self, birth_date=self.person.birth_date)


MakeRemote = Callable[[int], Remote]


@pytest.fixture(scope="module")
def two(
    make_installation: Callable[..., Installation],
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_cluster: Cluster,
) -> Iterator[Two]:
    folder, configs = tmp_path_factory.mktemp("two"), tmp_path_factory.mktemp("configs")
    door, registry_port = FrontDoor(free_port()), free_port()
    databases = {
        "CAIRN_DATABASE__URL": postgresql_cluster.new_database(),
        "CAIRN_DATABASE__VAULT_URL": postgresql_cluster.new_database(),
    }

    def process(name: str, port: int) -> Installation:
        service = "registry" if name == "registry" else "issuer"
        text = DEMO.read_text("utf-8").replace(
            "[server]\n", f"[server]\nservices = {json.dumps([service])}\n"
        )
        if service != "registry":
            anchor = json.dumps(str(folder / "data" / "public" / "trust-anchor.json"))
            where = f'registry_url = "http://127.0.0.1:{registry_port}"\ntrust_anchor = {anchor}\n'
            text = text.replace(
                '[ledger]\nnetwork = "demo"\n', f'[ledger]\nnetwork = "demo"\n{where}'
            )
        path = configs / f"{name}.toml"
        path.write_text(text, "utf-8")
        return make_installation(
            folder,
            config=path,
            port=port,
            public_base=door.base,
            environment={**databases, "CAIRN_SERVER__LOG_FILE": str(folder / f"{name}.log")},
        )

    with standing(door):
        registry = process("registry", registry_port)
        first, second = process("first", free_port()), process("second", free_port())
        door.routes = {
            "/registry": [registry.address],
            "/1.0": [registry.address],
            "/issuers": [first.address, second.address],
            "/.well-known": [first.address, second.address],
        }
        for installation in (registry, first, second):
            installation.start()
        yield Two(door, (first, second))


@pytest.fixture
def remote(two: Two) -> Iterator[MakeRemote]:
    """Makes wallets, each of a person of its own."""
    made: list[Remote] = []

    def make(who: int) -> Remote:
        made.append(Remote(two, who))
        return made[-1]

    yield make
    for wallet in made:
        wallet.http.close()


def test_pre_authorized_with_code_dpop_and_a_batch_of_ten(remote: MakeRemote) -> None:
    wallet = remote(2)
    key, offer = wallet.key(), wallet.offer(tx_code=True)

    def token(nonce: str | None) -> Any:
        proof = dpop_proof(wallet, key, "/token", nonce=nonce)
        return wallet.http.post(
            f"{wallet.issuer}/token", data=wallet.token_form(offer), headers={"DPoP": proof}
        )

    refused = token("A" * 43)
    assert refused.json()["error"] == "use_dpop_nonce"
    granted = token(refused.headers["dpop-nonce"])
    text = granted.json()["access_token"]
    nonce, keys = wallet.nonce(), [wallet.key() for _ in range(10)]

    def protected(path: str, body: Any) -> Any:
        proof = dpop_proof(wallet, key, path, token=text, nonce=granted.headers["dpop-nonce"])
        headers = {"Authorization": f"DPoP {text}", "DPoP": proof}
        return wallet.http.post(f"{wallet.issuer}{path}", headers=headers, json=body)

    proofs = {"jwt": [wallet.proof(item, nonce=nonce) for item in keys]}
    answer = protected("/credential", {"credential_configuration_id": SCOPE, "proofs": proofs})

    assert answer.status_code == 200, answer.text
    bound = [payload_of(item["credential"])["cnf"]["jwk"] for item in answer.json()["credentials"]]
    assert bound == [item.key.jwk for item in keys]
    event = {"notification_id": answer.json()["notification_id"], "event": "credential_accepted"}
    assert protected("/notification", event).status_code == 204
    again = protected("/credential", {"credential_configuration_id": SCOPE, "proofs": proofs})
    assert again.json()["error"] == "invalid_nonce"
    wallet.check_both_took_part()


def test_authorization_code_from_the_push_to_the_credential(
    remote: Callable[[int], Remote],
) -> None:
    wallet = remote(3)
    flow, key = wallet.flow(), wallet.key()

    code = flow.code({"DPoP": dpop_proof(wallet, key, "/par")}, state="s")
    answer = flow.token(code, {"DPoP": dpop_proof(wallet, key, "/token")})
    replayed = flow.token(code, {"DPoP": dpop_proof(wallet, key, "/token")})

    assert flow.answer.headers["location"].startswith(REDIRECT)
    assert answer.json()["token_type"] == "DPoP"
    assert replayed.json()["error"] == "invalid_grant"
    wallet.check_both_took_part()
    bearer = flow.token(flow.code()).json()["access_token"]
    assert wallet.receive(bearer, keys=2)["credentials"]
    wallet.check_both_took_part()


def test_wrong_answers_are_counted_over_both(remote: MakeRemote) -> None:
    wallet = remote(4)
    flow, code = wallet.flow(), wallet.flow().identification_code()
    flow.open(flow.push().json()["request_uri"])

    outcomes = [
        flow.send(answer="identify", code=code, birth_date="1901-01-01").status_code
        for _ in range(5)
    ]

    assert outcomes == [200] * 4 + [303]
    assert flow.back()["error"] == "access_denied"
    wallet.check_both_took_part()


def test_deferred_and_encrypted(remote: MakeRemote) -> None:
    wallet = remote(5)
    offer = wallet.offer(deferred=True)
    token, mine = wallet.token(offer), JWK.generate(kty="EC", crv="P-256")
    wish = {"jwk": {**mine.export_public(as_dict=True), "alg": "ECDH-ES"}, "enc": "A256GCM"}

    def post(path: str, body: Any) -> tuple[int, Any]:
        host, _, rest = wallet.issuer.partition("/issuers")
        metadata = wallet.http.get(f"{host}/.well-known/openid-credential-issuer/issuers{rest}")
        (jwk,) = metadata.json()["credential_request_encryption"]["jwks"]["keys"]
        header = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": jwk["kid"]}
        sealed = JWE(json.dumps(body).encode(), json.dumps(header))
        sealed.add_recipient(JWK(**jwk))
        answer = wallet.http.post(
            f"{wallet.issuer}{path}",
            content=sealed.serialize(compact=True),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/jwt"},
        )
        opened = JWE()
        opened.deserialize(answer.text, mine)
        return answer.status_code, json.loads(opened.payload)

    asked = {
        "credential_configuration_id": SCOPE,
        "proofs": {"jwt": [wallet.proof(wallet.key())]},
        "credential_response_encryption": wish,
    }
    status, postponed = post("/credential", asked)
    fetch = {
        "transaction_id": postponed["transaction_id"],
        "credential_response_encryption": wish,
    }
    assert (status, post("/deferred-credential", fetch)[0]) == (202, 202)
    decided = wallet.http.post(
        f"{wallet.issuer}/deferred/{offer['offer']}",
        headers=wallet.bearer,
        json={"decision": "issue"},
    )
    assert decided.status_code == 204
    status, delivered = post("/deferred-credential", fetch)

    assert status == 200
    assert payload_of(delivered["credentials"][0]["credential"])["iss"] == wallet.issuer
    wallet.check_both_took_part()


def test_five_wrong_transaction_codes_kill_the_code_at_both(
    remote: Callable[[int], Remote],
) -> None:
    wallet = remote(6)
    offer = wallet.offer(tx_code=True)
    wrong = "000000" if offer["tx_code"] != "000000" else "000001"

    def redeem(tx_code: str) -> tuple[int, str]:
        answer = wallet.http.post(
            f"{wallet.issuer}/token", data=wallet.token_form(offer, tx_code=tx_code)
        )
        return answer.status_code, answer.json().get("error", "")

    outcomes = [redeem(wrong) for _ in range(5)]

    assert outcomes == [(400, "invalid_grant")] * 5
    assert redeem(offer["tx_code"]) == (400, "invalid_grant")
    wallet.check_both_took_part()


def test_both_show_one_certificate(remote: MakeRemote) -> None:
    wallet = remote(1)
    chains = set()
    for _ in range(2):
        received = wallet.receive(wallet.token(wallet.offer()))
        header = received["credentials"][0]["credential"].split(".", 1)[0]
        chains.add(tuple(json.loads(base64url_decode(header))["x5c"]))

    assert len(chains) == 1
    wallet.check_both_took_part()
