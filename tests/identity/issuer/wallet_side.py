"""What agencies and wallets do, against an issuer in this process or anywhere else."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from identity.adapters.key_files import P256FileKey, key_from_seed
from identity.core.jose import sign_compact
from identity.core.offers import PRE_AUTHORIZED
from identity.core.signing import NamedSigner
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType

ALICE = "prs_alice"


class WalletSide:
    """Needs an HTTP client, the issuer's identifier, an access key, a clock and randomness."""

    http: Any
    issuer: str
    bearer: Mapping[str, str]
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    subject: str = ALICE

    def offer(self, **changes: Any) -> JsonObject:
        body = {"subject": self.subject, "credential_type": "resident-identity", "tx_code": False}
        answer = self.http.post(
            f"{self.issuer}/offers", headers=self.bearer, json={**body, **changes}
        )
        assert answer.status_code == 201, answer.text
        made: JsonObject = answer.json()
        return made

    def token_form(self, offer: JsonObject, **changes: Any) -> dict[str, str]:
        grant = offer["credential_offer"]["grants"][PRE_AUTHORIZED]
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": grant["pre-authorized_code"]}
        if offer["tx_code"] is not None:
            form["tx_code"] = offer["tx_code"]
        return {**form, **changes}

    def token(self, offer: JsonObject, **changes: Any) -> str:
        answer = self.http.post(f"{self.issuer}/token", data=self.token_form(offer, **changes))
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["access_token"]
        return text

    def nonce(self) -> str:
        text: str = self.http.post(f"{self.issuer}/nonce").json()["c_nonce"]
        return text

    def key(self) -> P256FileKey:
        key = key_from_seed(KeyType.P256, self.random(32))
        assert isinstance(key, P256FileKey)
        return key

    def proof(
        self,
        key: Any,
        *,
        nonce: str | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        payload = {
            "aud": self.issuer,
            "iat": int(self.clock().timestamp()),
            "nonce": nonce if nonce is not None else self.nonce(),
            **claims,
        }
        return sign_compact(
            header=dict(header or {"typ": "openid4vci-proof+jwt", "jwk": key.key.jwk}),
            payload={name: value for name, value in payload.items() if value is not None},
            signer=NamedSigner(key, "holder"),
        )

    def request(self, token: str, body: JsonObject, **headers: str) -> Any:
        return self.http.post(
            f"{self.issuer}/credential",
            headers={"Authorization": f"Bearer {token}", **headers},
            json=body,
        )

    def receive(
        self,
        token: str,
        keys: int = 1,
        configuration: str = "resident-identity-sd-jwt",
    ) -> JsonObject:
        nonce = self.nonce()
        answer = self.request(
            token,
            {
                "credential_configuration_id": configuration,
                "proofs": {"jwt": [self.proof(self.key(), nonce=nonce) for _ in range(keys)]},
            },
        )
        assert answer.status_code == 200, answer.text
        body: JsonObject = answer.json()
        return body

    def accept(self, token: str, answer: JsonObject, event: str = "credential_accepted") -> Any:
        return self.http.post(
            f"{self.issuer}/notification",
            headers={"Authorization": f"Bearer {token}"},
            json={"notification_id": answer["notification_id"], "event": event},
        )
