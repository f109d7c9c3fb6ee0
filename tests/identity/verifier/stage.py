"""A ledger in memory under the real rules, an agency, a relying party, and a wallet's moves."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256, shake_256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from identity.adapters.key_files import key_from_seed
from identity.adapters.schema_files import load_catalogue, load_contexts
from identity.core import data_integrity, jose, mdoc, sd_jwt, sd_jwt_vc, status_list
from identity.core.certificates import FixedChain
from identity.core.credential_digest import AnchorClaim, credential_digest
from identity.core.data_integrity.proofs import attach, prepare
from identity.core.data_integrity.suites import find_cryptosuite
from identity.core.jsonld import ContextStore
from identity.core.mdoc import Handover
from identity.core.parties import AskedCredential, Purpose, RelyingParty
from identity.core.presentation_request import ProvenRegistration
from identity.core.signing import NamedSigner
from identity.core.verification.case import World
from identity.verifier.ports import OlderThanSeen, ProvenBatch
from registry.core.accreditation import Accreditation, AccreditationList
from registry.core.anchors import AnchorBatch, BatchRecord
from registry.core.checkpoint import Head, sign_head
from registry.core.compromise import CompromisedKey, CompromisedKeys
from registry.core.did import DidDetails, VerificationMethod
from registry.core.did_record import DidRecord
from registry.core.did_web import web_did
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.genesis import Genesis, genesis_changes, genesis_member
from registry.core.keys import KeyType, PublicKey
from registry.core.receipt import AnchorReceipt, BatchTree, build_receipt, receipt_json
from registry.core.records import (
    Block,
    accreditation_key,
    accreditations_key,
    batch_key,
    compromise_key,
    did_key,
    did_version_key,
    relying_party_key,
    schema_key,
    status_list_key,
)
from registry.core.refusals import Unavailable
from registry.core.relying_party import AskedClaims, RegisteredPurpose
from registry.core.relying_party import RelyingParty as Registration
from registry.core.schemas import SchemaRecord
from registry.core.signed_note import verifier_key
from registry.core.sparse_map import EMPTY, MapProof, map_changes, map_proof_json, prove, update
from registry.core.status import StatusRecord
from registry.core.transactions import (
    Accredit,
    Action,
    CreateDid,
    Payload,
    PublishSchema,
    PublishStatus,
    RegisterRelyingParty,
    Signature,
    UpdateDid,
    derive_did,
    encode_signed,
    parse_transaction,
    signing_message,
)
from registry.core.transitions import apply
from registry.core.trust_anchor import TrustAnchor

NETWORK = "testnet"
BASE = "https://id.example"
ISSUER_URL = f"{BASE}/issuers/civil-registry"
VERIFIER_URL = f"{BASE}/verifiers/bar"
START = 1_790_000_000  # unix seconds
WEB_DID = "did:web:id.example:issuers:civil-registry"
LIST_SIZE = 131_072
CATALOGUE = load_catalogue(f"{BASE}/schemas")
CONTEXTS = ContextStore(load_contexts(CATALOGUE))
CLAIMS: JsonObject = {
    "family_name": "Kestrel",
    "given_name": "Alice",
    "birth_date": "2004-02-29",
    "age_over_18": True,
    "assurance_level": "IAL2",
    "issuing_country": "CN",
}


class Randomness:
    """Bytes that differ between calls, and are the same in every run."""

    def __init__(self, seed: bytes = b"stage") -> None:
        self._seed, self._count = seed, 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return shake_256(self._seed + self._count.to_bytes(8, "big")).digest(size)


@dataclass(frozen=True)
class HeadKey:
    """Signs heads of the test network."""

    name: str = "testnet-head"

    @property
    def key(self) -> PublicKey:
        return _seeded("head").key

    def sign(self, message: bytes) -> bytes:
        return _seeded("head").sign(message)


@lru_cache(maxsize=256)
def _seeded(name: str, key_type: KeyType = KeyType.ED25519) -> Any:
    return key_from_seed(key_type, sha256(name.encode()).digest())


@lru_cache(maxsize=256)
def _record(kind: Any, stored: bytes) -> Any:
    """Records are values, and the same few are read for thousands of judgements."""
    return kind.parse(stored)


class StageLedger:
    """Keeps the promises of the verifier's `Registry`, with every rule of the real ledger."""

    def __init__(self) -> None:
        root = _seeded("root")
        member = genesis_member(network=NETWORK, name="Ministry of Tests", keys=[root.key])
        genesis = Genesis(network=NETWORK, members=(member,), created=START - 1000)
        self.state: dict[str, bytes] = dict(genesis_changes(genesis))
        self.now = START
        self._height = 0
        self.root = NamedSigner(root, f"{member.did}#governance-1")
        self.trust = TrustAnchor(
            network=NETWORK,
            head_keys=(verifier_key(HeadKey.name, HeadKey().key),),
            threshold=1,
            roots=(member.did,),
        )
        self.down = False
        self._random = Randomness(b"ledger")

    def copy(self) -> "StageLedger":
        """Another ledger in the same state, that goes its own way from here."""
        other = copy.copy(self)
        other.state = dict(self.state)
        other._random = copy.copy(self._random)
        return other

    def get(self, key: str) -> bytes | None:
        return self.state.get(key)

    def submit(self, action: Action, *signers: NamedSigner) -> None:
        payload = Payload(
            network=NETWORK,
            author=signers[0].verification_method.partition("#")[0],
            nonce=self._random(16),
            action=action,
        )
        message = signing_message(payload)
        signatures = [
            Signature(key=signer.verification_method, value=signer.sign(message))
            for signer in signers
        ]
        self._apply(encode_signed(payload, signatures))

    def create_did(self, name: str, details: DidDetails, keys: Mapping[str, Any]) -> str:
        """`keys` by fragment: every key of a new DID signs."""
        payload = Payload(
            network=NETWORK,
            author="",
            nonce=sha256(name.encode()).digest()[:16],
            action=CreateDid(details=details),
        )
        message = signing_message(payload)
        signatures = [
            Signature(key=f"#{fragment}", value=key.sign(message)) for fragment, key in keys.items()
        ]
        self._apply(encode_signed(payload, signatures))
        return derive_did(payload)

    def _apply(self, raw: bytes) -> None:
        self._height += 1
        block = Block(height=self._height, time=self.now, index=self._height)
        self.state.update(apply(parse_transaction(raw), state=self, block=block))

    def _read(self, key: str) -> bytes | None:
        if self.down:
            raise Unavailable("the registry does not answer")
        return self.state.get(key)

    def did(self, did: str) -> DidRecord | None:
        found = self._read(did_key(did))
        return None if found is None else _record(DidRecord, found)

    def did_version(self, did: str, version: int) -> DidRecord | None:
        found = self._read(did_version_key(did, version))
        return None if found is None else _record(DidRecord, found)

    def accreditations(self, subject: str) -> Sequence[Accreditation]:
        found = self._read(accreditations_key(subject))
        if found is None:
            return ()
        listed = _record(AccreditationList, found).accreditations
        return [item for item in map(self.accreditation, listed) if item is not None]

    def accreditation(self, accreditation_id: str) -> Accreditation | None:
        found = self._read(accreditation_key(accreditation_id))
        return None if found is None else _record(Accreditation, found)

    def schema_digest(self, name: str, version: str) -> bytes | None:
        found = self._read(schema_key(name, version))
        return None if found is None else _record(SchemaRecord, found).digest

    def status_list(self, uri: str, *, fresh: bool) -> StatusRecord | None:
        found = self._read(status_list_key(uri))
        return None if found is None else _record(StatusRecord, found)

    def batch(self, issuer: str, batch: str) -> ProvenBatch | None:
        key = batch_key(issuer, batch)
        found = self._read(key)
        if found is None:
            return None
        proof, head = self.proven(key)
        return ProvenBatch(record=_record(BatchRecord, found), proof=proof, head=head)

    def proven(self, key: str) -> tuple[MapProof, str]:
        """A proof about `key` in the state as it is, and the signed head it is under."""
        root, nodes = update(EMPTY, map_changes(self.state), {})
        head = Head(
            network=NETWORK,
            tree_size=self._height + 1,
            log_root=sha256(b"log").digest(),
            height=self._height,
            time=self.now,
            state_root=root,
        )
        return prove(root, key, nodes), sign_head(head, [HeadKey()])

    def relying_party(self, did: str) -> ProvenRegistration | None:
        key = relying_party_key(did)
        found = self._read(key)
        if found is None:
            return None
        proof, head = self.proven(key)
        return ProvenRegistration(
            record=_record(Registration, found), proof=map_proof_json(proof), head=head
        )

    def compromised_keys(self, did: str) -> CompromisedKeys | None:
        found = self._read(compromise_key(did))
        return None if found is None else _record(CompromisedKeys, found)

    def declare_stolen(self, did: str, fragment: str, *, from_height: int) -> None:
        key = CompromisedKey(fragment=fragment, from_height=from_height, reason="lost", height=1)
        record = CompromisedKeys(subject=did, keys=(key,), height=1, time=self.now)
        self.state[compromise_key(did)] = record.encode()

    def height(self) -> int:
        return self._height


_PURPOSES = {
    "ledger-1": "capabilityInvocation",
    "di-1": "assertionMethod",
    "jose-1": "assertionMethod",
    "wrong-1": "authentication",
}


@dataclass
class StageAgency:
    """An accredited issuer with status lists that it can change and publish."""

    ledger: StageLedger
    name: str = "civil-registry"
    issuer_url: str = ISSUER_URL
    types: tuple[str, ...] = ("resident-identity",)
    lists: dict[str, dict[int, int]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = {
            "ledger-1": _seeded(f"{self.name}-ledger"),
            "di-1": _seeded(f"{self.name}-di"),
            "jose-1": _seeded(f"{self.name}-jose", KeyType.P256),
            "wrong-1": _seeded(f"{self.name}-wrong", KeyType.P256),
        }
        self.details = DidDetails(
            verification_methods=tuple(
                VerificationMethod(fragment=fragment, key=key.key, purpose=_PURPOSES[fragment])
                for fragment, key in self.keys.items()
            ),
            also_known_as=(self.issuer_url, web_did(self.issuer_url) or ""),
        )
        self.did = self.ledger.create_did(self.name, self.details, self.keys)
        self.signer = NamedSigner(self.keys["ledger-1"], f"{self.did}#ledger-1")
        self.di = NamedSigner(self.keys["di-1"], f"{self.did}#di-1")
        self.jose = NamedSigner(self.keys["jose-1"], f"{self.did}#jose-1")
        self.wrong = NamedSigner(self.keys["wrong-1"], f"{self.did}#wrong-1")
        self.ledger.submit(
            Accredit(
                accreditation=base64url_encode(sha256(self.name.encode()).digest()[:16]),
                subject=self.did,
                role="issuer",
                types=self.types,
                until_height=None,
            ),
            self.ledger.root,
        )
        self.version = 0
        self.publish_status()

    def moved_to(self, ledger: StageLedger) -> "StageAgency":
        """The same agency on a copy of its ledger."""
        other = copy.copy(self)
        other.ledger = ledger
        other.lists = copy.deepcopy(self.lists)
        other.bodies, other.batches = dict(self.bodies), dict(self.batches)
        return other

    def rotate(self) -> None:
        """A new version of the DID, with another SD-JWT key in the place of the first."""
        key = _seeded(f"{self.name}-jose-2", KeyType.P256)
        self.jose = NamedSigner(key, f"{self.did}#jose-2")
        kept = [m for m in self.details.verification_methods if m.fragment != "jose-1"]
        kept.append(VerificationMethod(fragment="jose-2", key=key.key, purpose="assertionMethod"))
        self.details = DidDetails(
            verification_methods=tuple(kept), also_known_as=self.details.also_known_as
        )
        newest = self.ledger.did(self.did)
        assert newest is not None
        action = UpdateDid(version=newest.version, details=self.details)
        self.ledger.submit(action, self.signer, self.jose)

    def uri(self, kind: str) -> str:
        return f"{self.issuer_url}/status/g1/{kind}"

    def set_status(self, index: int, value: int) -> None:
        """0 valid, 1 revoked, 2 suspended, in all three lists; published."""
        self.lists = {
            "token": {index: value},
            "revocation": {index: int(value == 1)},
            "suspension": {index: int(value == 2)},
        }
        self.publish_status()

    def publish_status(self, *, on_ledger: bool = True, lifetime: int = 3600) -> None:
        token = status_list.pack_token_list(self.lists.get("token", {}), size=LIST_SIZE, bits=2)
        self.bodies[self.uri("token")] = self.token_body(token, lifetime=lifetime)
        digests = {self.uri("token"): sha256(token).digest()}
        for purpose in ("revocation", "suspension"):
            data = status_list.pack_bitstring(self.lists.get(purpose, {}), size=LIST_SIZE)
            self.bodies[self.uri(purpose)] = self.bitstring_body(purpose, data, lifetime=lifetime)
            digests[self.uri(purpose)] = sha256(data).digest()
        if on_ledger:
            self.version += 1
            self.ledger.submit(
                PublishStatus(group="g1", version=self.version, lists=digests), self.signer
            )

    def token_body(
        self, data: bytes, *, lifetime: int = 3600, signer: NamedSigner | None = None
    ) -> bytes:
        signed_by = signer or self.jose
        payload = status_list.status_token_payload(
            uri=self.uri("token"),
            data=data,
            bits=2,
            issued_at=self.ledger.now - 5,
            expires_at=self.ledger.now + lifetime,
            ttl_seconds=15,
        )
        header = {"typ": "statuslist+jwt", "kid": signed_by.verification_method}
        return jose.sign_compact(header=header, payload=payload, signer=signed_by).encode()

    def bitstring_body(self, purpose: str, data: bytes, *, lifetime: int = 3600) -> bytes:
        document = status_list.bitstring_credential(
            uri=self.uri(purpose),
            issuer=self.did,
            purpose=purpose,
            data=data,
            valid_from=_time(self.ledger.now - 5),
            valid_until=_time(self.ledger.now + lifetime),
        )
        return canonical_json(
            data_integrity.add_proof(
                document,
                signer=self.di,
                cryptosuite="eddsa-rdfc-2022",
                created=_time(self.ledger.now - 5),
                purpose="assertionMethod",
                contexts=CONTEXTS,
            )
        )


@dataclass
class Held:
    """A credential in a wallet: text or document, its holder's key, and its receipt."""

    credential: Any
    holder: NamedSigner
    receipt: AnchorReceipt | None


def certify(
    key: PublicKey, *, common_name: str, hosts: Sequence[str] = (), is_root: bool = False
) -> bytes:
    """A certificate of the test root for `key`, DER; or the root itself."""
    root = ec.derive_private_key(int.from_bytes(sha256(b"root").digest()), ec.SECP256R1())
    subject = root.public_key() if is_root else public_key_object(key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])
    alternative: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
    builder = (
        x509.CertificateBuilder()
        .subject_name(issuer if is_root else name)
        .issuer_name(issuer)
        .public_key(subject)
        .serial_number(int.from_bytes(sha256(common_name.encode()).digest()[:8]))
        .not_valid_before(_time(START - 86_400))
        .not_valid_after(_time(START + 365 * 86_400))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False
        )
    )
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    return builder.sign(root, SHA256()).public_bytes(Encoding.DER)


def public_key_object(key: PublicKey) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.data)


@lru_cache(maxsize=256)
def holder_signer(name: str = "alice", key_type: KeyType = KeyType.P256) -> NamedSigner:
    """A holder's key under its `did:key`."""
    key = _seeded(f"holder-{name}", key_type)
    return NamedSigner(key, f"{key.key.did_key}#{key.key.multikey}")


class Stage:
    """Everything together, at a clock that only moves when told."""

    def __init__(self) -> None:
        self.ledger = _OPENING.ledger.copy()
        self.random = Randomness()
        self.agency = _OPENING.agency.moved_to(self.ledger)
        self.party = copy.copy(_OPENING.party)  # some tests bend it
        self.fetched: list[str] = []
        self.seen: dict[str, int] = {}
        self.world = _OPENING.world

    @property
    def now(self) -> datetime:
        return _time(self.ledger.now)

    # What the verifier fetches, in memory.

    def fetch(self, uri: str, *, accept: str, version_key: bytes) -> bytes:
        self.fetched.append(uri)
        if uri not in self.agency.bodies:
            raise Unavailable("the list cannot be fetched")
        return self.agency.bodies[uri]

    def forget(self, uri: str, *, version_key: bytes) -> None: ...

    def digests(self, issuer_url: str, batch: str) -> Sequence[bytes]:
        assert issuer_url == self.agency.issuer_url
        if batch not in self.agency.batches:
            raise Unavailable("the batch cannot be fetched")
        return self.agency.batches[batch]

    def ledger_dids(self, did: str) -> Sequence[str]:
        return [self.agency.did] if did == WEB_DID else []

    def remember(self, uri: str, version: int) -> None:
        if version < self.seen.get(uri, 0):
            raise OlderThanSeen("a newer version of this status list was seen before")
        self.seen[uri] = version

    # What an agency does.

    def issue(
        self,
        *,
        claims: Mapping[str, Any] | None = None,
        signer: NamedSigner | None = None,
        holder: NamedSigner | None = None,
        changes: Mapping[str, Any] | None = None,
        anchor_delay: int = 1,
        anchored: bool = True,
    ) -> Held:
        """An SD-JWT VC. `changes` replaces members of its payload; None removes one."""
        bound = holder or holder_signer()
        anchor = self._anchor_claim()
        sd_payload, disclosures = sd_jwt.make_disclosures(
            dict(claims or CLAIMS), random=self.random
        )
        payload = sd_jwt_vc.vc_payload(
            issuer=self.agency.issuer_url,
            vct=CATALOGUE.by_name("resident-identity").vct,
            holder_key=bound.key,
            issued_at=self.ledger.now,
            expires_at=self.ledger.now + 86_400,
            sd_payload=sd_payload,
            status={"status_list": {"idx": 7, "uri": self.agency.uri("token")}},
            anchor=anchor.to_json(vcdm=False),
        )
        payload = _changed(payload, changes)
        signed_by = signer or self.agency.jose
        text = sd_jwt.issue_sd_jwt(
            payload=payload,
            disclosures=disclosures,
            header={"typ": "dc+sd-jwt", "kid": signed_by.verification_method},
            signer=signed_by,
        )
        receipt = self._anchor(payload, anchor, anchor_delay) if anchored else None
        return Held(text, bound, receipt)

    def issue_ldp(
        self,
        *,
        claims: Mapping[str, Any] | None = None,
        holder: NamedSigner | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Held:
        """A W3C credential with a Data Integrity proof."""
        bound = holder or holder_signer(key_type=KeyType.ED25519)
        kind = CATALOGUE.by_name("resident-identity")
        anchor = self._anchor_claim()
        document: JsonObject = {
            "@context": ["https://www.w3.org/ns/credentials/v2", kind.context_url],
            "type": ["VerifiableCredential", kind.vc_type],
            "issuer": self.agency.did,
            "validFrom": _text(self.ledger.now),
            "validUntil": _text(self.ledger.now + 86_400),
            "credentialSubject": {
                "id": bound.verification_method.partition("#")[0],
                **(claims or CLAIMS),
            },
            "credentialSchema": {"id": kind.schema_url, "type": "JsonSchema"},
            "credentialStatus": [
                {
                    "type": "BitstringStatusListEntry",
                    "statusPurpose": purpose,
                    "statusListIndex": "7",
                    "statusListCredential": self.agency.uri(purpose),
                }
                for purpose in ("revocation", "suspension")
            ],
            "anchor": anchor.to_json(vcdm=True),
        }
        document = _changed(document, changes)
        receipt = self._anchor(document, anchor, 0)
        secured = data_integrity.add_proof(
            document,
            signer=self.agency.di,
            cryptosuite="eddsa-rdfc-2022",
            created=self.now,
            purpose="assertionMethod",
            contexts=CONTEXTS,
        )
        return Held(secured, bound, receipt)

    def issue_jwt(
        self,
        *,
        holder: NamedSigner | None = None,
        changes: Mapping[str, Any] | None = None,
        issuer: str = WEB_DID,
    ) -> Held:
        """A W3C credential of data model 1.1 as a JWT, by an agency under its did:web."""
        bound = holder or holder_signer()
        kind = CATALOGUE.by_name("resident-identity")
        anchor = self._anchor_claim()
        subject = _did_of(bound)
        document = _changed(
            {
                "@context": ["https://www.w3.org/2018/credentials/v1", kind.context_url],
                "type": ["VerifiableCredential", kind.vc_type],
                "issuer": issuer,
                "issuanceDate": _text(self.ledger.now),
                "expirationDate": _text(self.ledger.now + 86_400),
                "credentialSubject": {"id": subject, **CLAIMS},
                "credentialSchema": {"id": kind.schema_url, "type": "JsonSchema"},
                "credentialStatus": [
                    {
                        "id": f"{self.agency.uri(purpose)}#7",
                        "type": "BitstringStatusListEntry",
                        "statusPurpose": purpose,
                        "statusListIndex": "7",
                        "statusListCredential": self.agency.uri(purpose),
                    }
                    for purpose in ("revocation", "suspension")
                ],
                "anchor": anchor.to_json(vcdm=True),
            },
            changes,
        )
        receipt = self._anchor(document, anchor, 0)
        payload = {
            "iss": issuer,
            "sub": subject,
            "nbf": self.ledger.now,
            "exp": self.ledger.now + 86_400,
            "jti": f"urn:uuid:{anchor.batch}",
            "vc": document,
        }
        text = jose.sign_compact(
            header={"typ": "JWT", "kid": f"{issuer}#jose-1"},
            payload=payload,
            signer=self.agency.jose,
        )
        return Held(text, bound, receipt)

    def issue_mdoc(
        self,
        *,
        claims: Mapping[str, Any] | None = None,
        signer: NamedSigner | None = None,
        holder: NamedSigner | None = None,
    ) -> Held:
        """A mobile document."""
        bound = holder or holder_signer()
        anchor = self._anchor_claim()
        draft = mdoc.draft_mdoc(
            doctype=CATALOGUE.by_name("resident-identity").doctype,
            claims=claims or CLAIMS,
            device_key=bound.key,
            issued_at=self.ledger.now,
            expires_at=self.ledger.now + 86_400,
            status={"status_list": {"idx": 7, "uri": self.agency.uri("token")}},
            anchor=anchor.to_json(vcdm=False),
            random=self.random,
        )
        signed_by = signer or self.agency.jose
        leaf = certify(signed_by.key, common_name="Civil registry")
        receipt = self._anchor(draft.content, anchor, 1)
        return Held(mdoc.sign_mdoc(draft, signer=signed_by, chain=[leaf]), bound, receipt)

    def issue_in(self, form: str) -> Held:
        """A resident identity in one of the formats of DCQL."""
        makers = {
            "dc+sd-jwt": self.issue,
            "ldp_vc": self.issue_ldp,
            "jwt_vc_json": self.issue_jwt,
            "mso_mdoc": self.issue_mdoc,
        }
        made: Held = makers[form]()
        return made

    # What a wallet does.

    def present(
        self,
        held: Held,
        *,
        paths: Sequence[tuple[str, ...]] = (("age_over_18",),),
        audience: str,
        nonce: str,
        holder: NamedSigner | None = None,
        made_at: int | None = None,
    ) -> str:
        return sd_jwt.add_key_binding(
            sd_jwt.present(held.credential, paths),
            signer=holder or held.holder,
            audience=audience,
            nonce=nonce,
            issued_at=self.ledger.now if made_at is None else made_at,
        )

    def present_ldp(
        self,
        held: Held,
        *,
        audience: str,
        nonce: str,
        holder: NamedSigner | None = None,
        dated: bool = True,
    ) -> JsonObject:
        presentation: JsonObject = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiablePresentation"],
            "verifiableCredential": [copy.deepcopy(held.credential)],
        }
        signer, suite = holder or held.holder, find_cryptosuite("eddsa-rdfc-2022")
        secured, config, unsecured = prepare(
            presentation,
            method=signer.verification_method,
            cryptosuite="eddsa-rdfc-2022",
            created=self.now,
            purpose="authentication",
            options={"domain": audience, "challenge": nonce},
        )
        if not dated:
            del config["created"]
        config["proofValue"] = suite.create(unsecured, config, signer=signer, contexts=CONTEXTS)
        return attach(secured, config)

    def present_jwt(
        self,
        held: Held,
        *,
        audience: str,
        nonce: str,
        holder: NamedSigner | None = None,
        made_at: int | None = None,
        changes: JsonObject | None = None,
    ) -> str:
        signer = holder or held.holder
        now = self.ledger.now if made_at is None else made_at
        payload = {
            "iss": _did_of(signer),
            "aud": audience,
            "nonce": nonce,
            "iat": now,
            "nbf": now,
            "exp": now + 120,
            "vp": {
                "@context": ["https://www.w3.org/2018/credentials/v1"],
                "type": ["VerifiablePresentation"],
                "holder": _did_of(signer),
                "verifiableCredential": [held.credential],
            },
            **(changes or {}),
        }
        return jose.sign_compact(
            header={"typ": "JWT", "kid": signer.verification_method},
            payload={name: value for name, value in payload.items() if value is not None},
            signer=signer,
        )

    def present_mdoc(
        self,
        held: Held,
        *,
        handover: Handover,
        elements: Sequence[str] = ("age_over_18",),
        holder: NamedSigner | None = None,
    ) -> str:
        return base64url_encode(
            mdoc.present_mdoc(
                held.credential,
                elements=elements,
                holder=holder or held.holder,
                handover=handover,
            )
        )

    def receipt_json(self, held: Held) -> JsonObject:
        assert held.receipt is not None
        return receipt_json(held.receipt)

    def _anchor_claim(self) -> AnchorClaim:
        return AnchorClaim(
            salt=self.random(32), batch=base64url_encode(self.random(16)), network=NETWORK
        )

    def _anchor(self, content: JsonObject, anchor: AnchorClaim, delay: int) -> AnchorReceipt:
        digest = credential_digest(content, anchor.salt)
        digests = (sha256(b"another").digest(), digest, sha256(b"a third").digest())
        tree = BatchTree(digests)
        self.ledger.now += delay
        self.ledger.submit(
            AnchorBatch(batch=anchor.batch, root=tree.root, count=3, types=self.agency.types),
            self.agency.signer,
        )
        self.agency.batches[anchor.batch] = digests
        batch = self.ledger.batch(self.agency.did, anchor.batch)
        assert batch is not None
        return build_receipt(
            digest=digest,
            index=1,
            path=tree.path(1),
            batch=batch.record,
            proof=batch.proof,
            head=batch.head,
        )


class Opening:
    """What every stage begins with: schemas, an agency and a relying party on the ledger.

    The same for all, byte for byte, and so made once.
    """

    def __init__(self) -> None:
        self.ledger = StageLedger()
        self._publish_schemas()
        self.agency = StageAgency(self.ledger)
        self.party = self._relying_party()
        self.world = World(
            contexts=CONTEXTS,
            catalogue=CATALOGUE,
            trust=self.ledger.trust,
            certificate_roots=(certify(_seeded("none").key, common_name="Root", is_root=True),),
        )

    def _publish_schemas(self) -> None:
        for kind in CATALOGUE:
            self.ledger.submit(
                PublishSchema(name=kind.name, version=kind.version, schema=kind.schema),
                self.ledger.root,
            )

    def _relying_party(self) -> RelyingParty:
        request = _seeded("bar-request", KeyType.P256)
        did = self.ledger.create_did(
            "bar",
            DidDetails(
                verification_methods=(
                    VerificationMethod(
                        fragment="ledger-1",
                        key=_seeded("bar-ledger").key,
                        purpose="capabilityInvocation",
                    ),
                    VerificationMethod(
                        fragment="request-1", key=request.key, purpose="authentication"
                    ),
                )
            ),
            {"ledger-1": _seeded("bar-ledger"), "request-1": request},
        )
        description = {"en": "To serve you alcohol", "zh": "为您提供酒类"}
        asked = AskedClaims(type="resident-identity", claims=(("age_over_18",),))
        self.ledger.submit(
            RegisterRelyingParty(
                party=did,
                name="The Bar",
                purposes=(
                    RegisteredPurpose(
                        purpose="age-check",
                        description=description,
                        credentials=(asked,),
                        pseudonym=True,
                    ),
                    RegisteredPurpose(
                        purpose="once", description=description, credentials=(asked,)
                    ),
                ),
            ),
            self.ledger.root,
        )
        return RelyingParty(
            slug="bar",
            name={"en": "The Bar", "zh": "酒吧"},
            did=did,
            verifier_url=VERIFIER_URL,
            request=NamedSigner(request, f"{did}#request-1"),
            certificates=FixedChain(
                (certify(request.key, common_name="The Bar", hosts=("id.example",)),)
            ),
            purposes=(
                _purpose("age-check", description, ("age_over_18",), {"age_over_18": True}),
                _purpose("once", description, ("age_over_18",), {"age_over_18": True}),
                _purpose("names", description, ("family_name",), {}),  # not registered
            ),
        )


def _did_of(signer: NamedSigner) -> str:
    return signer.verification_method.partition("#")[0]


def _purpose(
    code: str,
    description: Mapping[str, str],
    claims: Sequence[str],
    require: Mapping[str, str | int | bool],
) -> Purpose:
    return Purpose(
        code=code,
        description=description,
        credentials=(
            AskedCredential(type="resident-identity", claims=tuple((name,) for name in claims)),
        ),
        require=require,
    )


def _changed(document: JsonObject, changes: Mapping[str, Any] | None) -> JsonObject:
    merged = {**document, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(seconds: int) -> str:
    return _time(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


# When this file is read, and so never while a test has something replaced or switched off.
_OPENING = Opening()
