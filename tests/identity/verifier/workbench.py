"""A verifier over HTTP on a database file, as many instances as wanted."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from fastapi.testclient import TestClient

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.adapters.database import Base
from identity.adapters.rendezvous_store import DatabaseWaits
from identity.adapters.trust_cache import DatabaseSeenVersions
from identity.adapters.verifier_store import DatabaseRequests
from identity.core.jose import verify_compact
from identity.core.mdoc import Handover
from identity.core.verification.policy import Policy, conformance_policy, strict_policy
from identity.rendezvous.routes import build_router as build_rendezvous_router
from identity.rendezvous.service import RendezvousService
from identity.verifier.evidence import EvidenceReader
from identity.verifier.routes import build_router
from identity.verifier.service import Verifier, VerifierService
from registry.core.encoding import JsonObject, base64url_decode
from registry.problems import install
from registry.routers import join_routers
from tests.databases import database_with
from tests.identity.verifier.stage import BASE, CATALOGUE, Held, Stage
from tests.lent import Lent

ACCESS_KEY = "an access key that nobody else has"
BEARER = {"Authorization": f"Bearer {ACCESS_KEY}"}


async def _no_sleep(_seconds: float) -> None: ...


def _application(parts: Mapping[str, Any]) -> FastAPI:
    keys = {f"verifier:{slug}": access_key_digest(ACCESS_KEY) for slug in ("bar", "haip", "open")}
    router = join_routers(
        build_router(parts["service"], DigestAccessKeys(keys)),
        build_rendezvous_router(parts["waits"], sleep=_no_sleep),
    )
    app = FastAPI(routes=router.routes)
    install(app)
    return app


_LENT = Lent(_application, ("service", "waits"))


class Workbench:
    """One stage, one database, several instances of the verifier."""

    def __init__(
        self, folder: Path, *, policy: Policy | None = None, database_url: str = ""
    ) -> None:
        self.stage = Stage()
        self.engine = database_with(
            Base.metadata, database_url or f"sqlite:///{folder / 'verifier.db'}"
        )
        self.policy = policy or strict_policy("bar")
        self.client = self.instance()

    def instance(self) -> TestClient:
        waits = RendezvousService(
            DatabaseWaits(self.engine), now=lambda: self.stage.ledger.now, random=self.stage.random
        )
        service = VerifierService(
            {
                "bar": Verifier(party=self.stage.party, policy=self.policy),
                "haip": Verifier(
                    party=replace(
                        self.stage.party,
                        slug="haip",
                        haip=True,
                        verifier_url=f"{BASE}/verifiers/haip",
                    ),
                    policy=self.policy,
                ),
                "open": Verifier(party=self.stage.party, policy=conformance_policy("open")),
            },
            registry=self.stage.ledger,
            evidence=EvidenceReader(
                registry=self.stage.ledger,
                status_lists=self.stage,
                batches=self.stage,
                seen_versions=DatabaseSeenVersions(self.engine),
                catalogue=CATALOGUE,
                web_names=self.stage,
            ),
            requests=DatabaseRequests(self.engine),
            rendezvous=waits,
            world=self.stage.world,
            now=lambda: self.stage.now,
            random=self.stage.random,
        )
        return _LENT.borrow({"service": service, "waits": waits}, base_url=BASE)

    def ask(self, **body: Any) -> JsonObject:
        answer = self.try_ask(**body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def try_ask(self, party: str = "bar", **body: Any) -> Any:
        return self.client.post(
            f"/verifiers/{party}/requests", json={"purpose": "age-check", **body}, headers=BEARER
        )

    def object(self, asked: Mapping[str, Any]) -> JsonObject:
        """The request object, as a wallet reads and checks it."""
        text = self.client.post(_path(asked["request_uri"])).text
        return verify_compact(
            text, key=self.stage.party.request.key, typ="oauth-authz-req+jwt"
        ).claims

    def form(self, wanted: JsonObject, held: Held | None = None, **options: Any) -> dict[str, str]:
        query = wanted["dcql_query"]["credentials"][0]
        held = held or self.stage.issue_in(query["format"])
        named = {"audience": wanted["client_id"], "nonce": wanted["nonce"], **options}
        if query["format"] == "mso_mdoc":
            return self._mdoc_form(wanted, held, **options)
        if query["format"] == "ldp_vc":
            shown: Any = self.stage.present_ldp(held, **named)
        elif query["format"] == "jwt_vc_json":
            shown = self.stage.present_jwt(held, **named)
        else:
            shown = self.stage.present(held, **named)
        return {
            "vp_token": json.dumps({query["id"]: [shown]}),
            "state": wanted["state"],
            "anchor_receipts": json.dumps({query["id"]: [self.stage.receipt_json(held)]}),
        }

    def _mdoc_form(self, wanted: JsonObject, held: Held, **options: Any) -> dict[str, str]:
        jwks = wanted["client_metadata"].get("jwks", {}).get("keys", ())
        handover = Handover(
            client_id=options.pop("audience", wanted["client_id"]),
            nonce=options.pop("nonce", wanted["nonce"]),
            response_uri=options.pop("response_uri", wanted["response_uri"]),
            key_thumbprint=base64url_decode(jwks[0]["kid"]) if jwks else b"",
        )
        shown = self.stage.present_mdoc(held, handover=handover, **options)
        name = wanted["dcql_query"]["credentials"][0]["id"]
        return {
            "vp_token": json.dumps({name: [shown]}),
            "state": wanted["state"],
            "anchor_receipts": json.dumps({name: [self.stage.receipt_json(held)]}),
        }

    def answer(
        self, wanted: JsonObject, form: Mapping[str, str], client: TestClient | None = None
    ) -> Any:
        return (client or self.client).post(_path(wanted["response_uri"]), data=dict(form))

    def result(
        self, asked: Mapping[str, Any], client: TestClient | None = None, **query: str
    ) -> Any:
        return (client or self.client).get(
            f"/verifiers/bar/requests/{asked['request']}/result",
            headers={"Authorization": f"Bearer {asked['result_secret']}"},
            params=query,
        )


def link_parameters(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def _path(url: str) -> str:
    assert url.startswith(BASE)
    return url.removeprefix(BASE)
