"""The issuer inside the application that a process serves, for sections 1 and 2."""

from fastapi import FastAPI

from identity.adapters.access_keys import DigestAccessKeys, access_key_digest
from identity.app import create_app
from identity.config import Settings
from identity.core.certificates import Subject, make_leaf, make_root
from identity.issuer.desks import Desks
from identity.issuer.routes import build_router
from identity.publishing.did_routes import build_router as build_did_router
from registry.core.did_web import web_did
from registry.core.encoding import JsonObject
from tests.identity.core.test_certificates import key
from tests.identity.issuer.ledger_in_memory import MemoryRegistry
from tests.identity.issuer.workbench import (
    ACCESS_KEY,
    BASE,
    CATALOGUE,
    START,
    Randomness,
    Workbench,
    make_agency,
)

ISSUER = f"{BASE}/issuers/registrar"
SD_JWT, LDP, JWT_VC = (f"resident-identity-{suffix}" for suffix in ("sd-jwt", "ldp-vc", "jwt-vc"))
MDOC = "resident-identity-mdoc"
ROOT = make_root(key("wire root"), name="Root", country="CN", now=START, random=Randomness())


def _leaf() -> bytes:
    agency = make_agency(MemoryRegistry(int(START.timestamp())), "registrar", ("degree",))
    subject = Subject(name="Registrar", country="CN", url=ISSUER, key=agency.jose.key)
    return make_leaf(subject, root=ROOT, private=key("wire root"), now=START, random=Randomness())


LEAF = _leaf()


class Whole(Workbench):
    """The issuer inside the application that a process serves."""

    def application(self) -> FastAPI:
        router = build_router(
            Desks.open(self.parts, self.publisher),
            access=DigestAccessKeys({"issuer:registrar": access_key_digest(ACCESS_KEY)}),
            clock=self.clock,
        )
        name = web_did(ISSUER)
        assert name is not None
        did = build_did_router(
            dids={"registrar": (self.agency.did, name)}, resolve=self.registry.resolve
        )
        settings = Settings(server={"public_base_url": BASE})
        return create_app(settings, catalogue=CATALOGUE, routers=[router, did])


def document_of(whole: Whole, name: str) -> JsonObject:
    answer = whole.http.get(f"{BASE}/.well-known/{name}/issuers/registrar")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document: JsonObject = answer.json()
    return document
