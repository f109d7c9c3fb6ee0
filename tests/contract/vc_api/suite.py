"""An outside test suite as the conformance installation sees it: requests over HTTP, nothing else.

Signatures that no endpoint would make are made here with the instances' keys, which everybody
knows.
"""

import copy
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.testclient import TestClient

from identity.compose import Composition
from identity.core.cose import sign_sign1
from identity.core.data_integrity import add_proof
from identity.core.data_integrity.proofs import attach
from identity.core.data_integrity.suites import find_cryptosuite
from identity.core.jose import sign_compact
from identity.core.rdf_canon import is_absolute_iri
from identity.core.sd_jwt import ClaimPath, issue_sd_jwt, make_disclosures
from identity.core.signing import NamedSigner
from identity.installation.conformance import Instance
from registry.core.encoding import JsonObject
from tests.identity.core.contexts import bundled

BASE = "https://conformance.example"
V1 = "https://www.w3.org/2018/credentials/v1"
V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
DATA_INTEGRITY = "https://w3id.org/security/data-integrity/v2"
VERIFIERS = ("conformance", "proof-only")
# Members of the credential that stand for "leave it out".


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"  # in the names of tests, which must be the same in every process


ABSENT: Any = _Absent()


@dataclass(frozen=True)
class Answer:
    """Status, content type and body of an answer, with the promises of section 1 checked."""

    status: int
    content_type: str
    body: Any

    @property
    def credential(self) -> Any:
        """What was issued or derived."""
        assert self.status == 201, self.body
        return self.body["verifiableCredential"]

    @property
    def is_verified(self) -> bool:
        """200 with `verified: true`; anything else must be a refusal in due form."""
        if self.status == 200:
            assert self.body["verified"] is True
            assert not self.body.get("errors")
            return True
        self.must_refuse()
        return False

    def must_refuse(self) -> None:
        """The one form of "no": 400 or 422, `verified: false`, and what is wrong."""
        assert self.status in (400, 422), (self.status, self.body)
        assert self.body["verified"] is False
        assert self.body["problemDetails"]
        for problem in self.body["problemDetails"]:
            assert {"type", "title", "detail"} <= set(problem)
            assert all(isinstance(problem[name], str) for name in ("type", "title", "detail"))
            assert is_absolute_iri(problem["type"]), problem  # VCDM 2.0 §7.2: a URL

    def problem_types(self) -> set[str]:
        """The types of what is wrong, by the last part of their URLs."""
        self.must_refuse()
        return {problem["type"].rpartition("#")[2] for problem in self.body["problemDetails"]}


class Suite:
    """Speaks to one conformance installation."""

    def __init__(self, composition: Composition, http: TestClient) -> None:
        self._http = http
        self.composition = composition
        self.contexts = bundled()
        self.instances: dict[str, Instance] = {
            instance.settings.slug: instance for instance in composition.instances
        }

    def post(self, path: str, body: Any, **options: Any) -> Answer:
        """POST JSON, or bytes as they are."""
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = self._http.post(path, **sent, **options)
        content_type = answer.headers["content-type"]
        assert "json" in content_type, content_type
        return Answer(answer.status_code, content_type, answer.json())

    def get(self, url: str, **headers: str) -> Answer:
        """GET one of the installation's own URLs."""
        assert url.startswith(BASE + "/"), url
        answer = self._http.get(url.removeprefix(BASE), headers=headers)
        return Answer(answer.status_code, answer.headers["content-type"], answer.json())

    def head(self, url: str) -> tuple[int, Mapping[str, str]]:
        """HEAD of one of the installation's own URLs: status and headers."""
        answer = self._http.head(url.removeprefix(BASE))
        return answer.status_code, answer.headers

    def did(self, instance: str) -> str:
        """DID of an instance."""
        return self.instances[instance].did

    def signer(self, instance: str) -> NamedSigner:
        """Key of an instance."""
        return self.instances[instance].signer

    def credential(self, instance: str = "eddsa-rdfc-2022", **changes: Any) -> JsonObject:
        """A small credential of data model 2.0; `ABSENT` leaves a member out."""
        document = {
            "@context": [V2, EXAMPLES],
            "id": "urn:uuid:0b8ef8c2-7a53-4a8b-9f5e-1d1c2b3a4d5e",
            "type": ["VerifiableCredential", "ExampleDegreeCredential"],
            "issuer": self.did(instance),
            "validFrom": "2024-01-01T00:00:00Z",
            "credentialSubject": {"id": "did:example:alice", "degree": {"name": "Bachelor"}},
        }
        document.update(changes)
        return {name: value for name, value in document.items() if value is not ABSENT}

    def older(self, instance: str = "eddsa-rdfc-2022", **changes: Any) -> JsonObject:
        """A small credential of data model 1.1."""
        return self.credential(
            instance,
            **{
                "@context": [V1],
                "type": ["VerifiableCredential"],
                "validFrom": ABSENT,
                "issuanceDate": "2024-01-01T00:00:00Z",
                "credentialSubject": {"id": "did:example:alice"},
                **changes,
            },
        )

    def issue(self, credential: Any, instance: str = "eddsa-rdfc-2022", **members: Any) -> Answer:
        """`credentials/issue`."""
        return self.post(
            f"/issuers/{instance}/credentials/issue", {"credential": credential, **members}
        )

    def issued(self, instance: str = "eddsa-rdfc-2022", **changes: Any) -> Any:
        """A small credential, issued."""
        return self.issue(self.credential(instance, **changes), instance).credential

    def verify(self, credential: Any, party: str = "conformance", **members: Any) -> Answer:
        """`credentials/verify`."""
        body = {"verifiableCredential": credential, **members}
        return self.post(f"/verifiers/{party}/credentials/verify", body)

    def verify_presentation(
        self, presentation: Any, party: str = "conformance", **members: Any
    ) -> Answer:
        """`presentations/verify`."""
        body = {"verifiablePresentation": presentation, **members}
        return self.post(f"/verifiers/{party}/presentations/verify", body)

    def derive(self, base: Any, pointers: Any, path: str = "/issuers/ecdsa-sd-2023") -> Answer:
        """`credentials/derive`."""
        body = {"verifiableCredential": base, "options": {"selectivePointers": pointers}}
        return self.post(f"{path}/credentials/derive", body)

    def presentation(self, *credentials: Any, **changes: Any) -> JsonObject:
        """A presentation without proof."""
        document = {
            "@context": [V2],
            "type": ["VerifiablePresentation"],
            "verifiableCredential": list(credentials),
        }
        document.update(changes)
        return {name: value for name, value in document.items() if value is not ABSENT}

    def sign(
        self,
        document: Any,
        instance: str = "eddsa-rdfc-2022",
        purpose: str = "assertionMethod",
        **options: Any,
    ) -> Any:
        """Add one more proof, with any options of a proof."""
        return add_proof(
            document,
            signer=self.signer(instance),
            cryptosuite=self.instances[instance].settings.securing,
            created=datetime.now(UTC),
            purpose=purpose,
            contexts=self.contexts,
            options=options or None,
        )

    def sign_odd(self, document: Any, **changes: Any) -> Any:
        """Sign with a proof that has odd members, which the signature covers."""
        signer = self.signer("eddsa-rdfc-2022")
        config = {
            "type": "DataIntegrityProof",
            "cryptosuite": "eddsa-rdfc-2022",
            "created": now(),
            "verificationMethod": signer.verification_method,
            "proofPurpose": "assertionMethod",
        }
        config.update(changes)
        config = {name: value for name, value in config.items() if value is not ABSENT}
        suite = find_cryptosuite("eddsa-rdfc-2022")
        value = suite.create(document, config, signer=signer, contexts=self.contexts)
        return attach(copy.deepcopy(document), {**config, "proofValue": value})

    def envelope(
        self,
        payload: JsonObject,
        *,
        typ: str = "vc+jwt",
        media_type: str = "application/vc+jwt",
        kind: str = "EnvelopedVerifiableCredential",
        **header: Any,
    ) -> JsonObject:
        """A JWS by the instance `enveloped`, in an envelope."""
        signer = self.signer("enveloped")
        header = {"typ": typ, "kid": signer.verification_method, **header}
        text = sign_compact(header=header, payload=payload, signer=signer)
        return {"@context": V2, "type": kind, "id": f"data:{media_type},{text}"}

    def sd_jwt_envelope(
        self,
        payload: JsonObject,
        *,
        paths: Sequence[ClaimPath] = (),
        member: str = "vc",
        typ: str | None = None,
        instance: str = "enveloped-sd-jwt",
    ) -> JsonObject:
        """An SD-JWT with all its disclosures, in an envelope."""
        signer = self.signer(instance)
        concealed, disclosures = make_disclosures(payload, random=os.urandom, paths=paths)
        text = issue_sd_jwt(
            payload=concealed,
            disclosures=disclosures,
            header={"typ": typ or f"{member}+sd-jwt", "kid": signer.verification_method},
            signer=signer,
        )
        return envelope_of(f"application/{member}+sd-jwt", text, member)

    def cose_envelope(
        self,
        payload: bytes,
        *,
        member: str = "vc",
        protected: Mapping[Any, Any] | None = None,
        instance: str = "enveloped-cose",
    ) -> JsonObject:
        """A COSE_Sign1 in an envelope; `protected` adds to the header, or with None removes."""
        signer = self.signer(instance)
        header: dict[Any, Any] = {
            3: f"application/{member}",
            4: signer.verification_method.encode(),
            16: f"application/{member}+cose",
        }
        header.update(protected or {})
        kept = {label: value for label, value in header.items() if value is not None}
        message = sign_sign1(protected=kept, payload=payload, signer=signer)
        return envelope_of(
            f"application/{member}+cose;base64", b64encode(message).decode("ascii"), member
        )


def envelope_of(media_type: str, text: str, member: str = "vc") -> JsonObject:
    """An envelope around what is signed already."""
    kind = "Credential" if member == "vc" else "Presentation"
    return {
        "@context": V2,
        "type": f"EnvelopedVerifiable{kind}",
        "id": f"data:{media_type},{text}",
    }


def now(**offset: float) -> str:
    """The time now, or `hours=1` from now, as proofs write it."""
    return (datetime.now(UTC) + timedelta(**offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def changed(document: Any, **changes: Any) -> Any:
    """A copy with top-level members changed; `ABSENT` removes one."""
    copied = {**copy.deepcopy(document), **changes}
    return {name: value for name, value in copied.items() if value is not ABSENT}


def with_proof(document: Any, **changes: Any) -> Any:
    """A copy whose one proof has members changed, unsigned."""
    return changed(document, proof=changed(document["proof"], **changes))
