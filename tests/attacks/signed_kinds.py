"""Every kind of signed object, made by one key about one thing, so that only its type tells it.

The claims of all kinds are in each: whoever takes one kind for another finds everything he looks
for, under a signature that verifies. A kind that this project signs or reads and that is not here
makes `test_type_confusion` fail.
"""

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any

import cbor2

from identity.adapters.http_register import ANSWER_TYPE
from identity.core import (
    client_attestation,
    dpop,
    guardians,
    jose,
    key_attestation,
    key_proof,
    presentation_request,
    pseudonym,
    sd_jwt,
)
from identity.core.attesters import Attesters
from identity.core.cose import CONTENT_TYPE, CWT_CLAIMS, KID, TYP, sign_sign1
from identity.core.data_integrity import add_proof
from identity.core.sd_jwt.format import digest_of
from identity.core.sd_jwt_vc import verify_sd_jwt_vc
from identity.core.status_list import (
    STATUS_TOKEN_TYP,
    encode_token_list,
    pack_token_list,
    parse_status_token,
)
from identity.core.status_list.cwt import STATUS_CWT_TYP, verify_status_cwt
from identity.core.status_list.packing import ZLIB, compress
from identity.core.verification.verdict import Verdict
from identity.issuer.securing import envelop
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.hashing import sha256
from registry.core.keys import KeyType
from registry.core.refusals import NotPermitted, Refusal
from tests.adversary.judging import BINDING, NOW, SECONDS, Judge
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import signer

KEY = signer(KeyType.P256, 7)
DID = KEY.key.did_key
LIST = "https://id.example/status/1"
URL = "https://id.example/token"
QUERY = b'{"query":1}'
VP_TOKEN: JsonObject = {"id": ["presentation"]}
REGISTER_TYP = ANSWER_TYPE
V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
# What we sign and only others read.
FOR_OTHERS = ("openidvci-issuer-metadata+jwt",)
_CREDENTIALS, _PRESENTATIONS = ("vc+jwt", "vc+sd-jwt"), ("vp+jwt", "vp+sd-jwt")
BITS = pack_token_list({}, size=1024, bits=2)

Taker = Callable[[Any], object]


class Maker:
    """Makes one object of each kind with one key."""

    def __init__(self, key: Any, now: datetime) -> None:
        self.key, self.now, self.seconds = key, now, int(now.timestamp())
        self.did = key.key.did_key
        self.credential = self._document("VerifiableCredential", issuer=self.did)
        inner = envelop(self.credential, signer=key, securing="vc+jwt", options={}, random=bytes)
        self.presentation = self._document(
            "VerifiablePresentation", holder=self.did, verifiableCredential=[inner]
        )
        self.presentation.pop("credentialSubject")
        self.presentation.pop("validFrom")
        self.claims: JsonObject = {
            "iss": self.did,
            "aud": BINDING["audience"],
            "nonce": BINDING["nonce"],
            "iat": self.seconds - 5,
            "exp": self.seconds + 300,
            "jti": self.credential["id"],
            "sub": LIST,
            "htm": "POST",
            "htu": URL,
            "vct": "https://id.example/types/1",
            "cnf": {"jwk": key.key.jwk, "jkt": key.key.jwk_thumbprint},
            "status_list": {"bits": 2, "lst": encode_token_list(BITS)},
            "ttl": 60,
            "attested_keys": [key.key.jwk],
            "request": base64url_encode(sha256(QUERY)),
            "result": "no-match",
            # Of a guardian's approval, and of an order.
            "act": "withdraw",
            "arrangement": "a",
            "recovery": "r",
            "client_id": f"decentralized_identifier:{self.did}",
            "vp_hash": pseudonym.presentations_hash(VP_TOKEN),
        }

    def kinds(self) -> dict[str, Any]:
        """All of them, by the names of the matrix."""
        return {**self.jws(), **self.cose(), **self.embedded()}

    def jws(self) -> dict[str, str]:
        """JSON Web Signatures, by their type."""
        shown = f"{self._jws('dc+sd-jwt', self.claims)}~"
        self.shown = shown
        # A W3C reader compares `sub` with the subject, which is no status list.
        beside = {name: value for name, value in self.claims.items() if name != "sub"}
        plain = ("statuslist+jwt", "key-attestation+jwt", "oauth-authz-req+jwt", REGISTER_TYP)
        return {
            "dc+sd-jwt": shown.removesuffix("~"),
            "kb+jwt": self._jws("kb+jwt", {**self.claims, "sd_hash": digest_of(shown)}),
            **{
                typ: self._jws(typ, {**beside, **self.credential})
                for typ in ("vc+jwt", "vc+sd-jwt")
            },
            **{
                typ: self._jws(typ, {**beside, **self.presentation})
                for typ in ("vp+jwt", "vp+sd-jwt")
            },
            **{typ: self._jws(typ, self.claims) for typ in (*plain, *FOR_OTHERS)},
            **{
                typ: self._jws(typ, self.claims, by="jwk")
                for typ in ("openid4vci-proof+jwt", "dpop+jwt")
            },
            client_attestation.ATTESTATION_TYP: self.client_attestation(),
            client_attestation.POP_TYP: self.client_proof(),
            guardians.ORDER_TYP: self._jws(guardians.ORDER_TYP, self.claims),
            guardians.APPROVAL_TYP: self._jws(guardians.APPROVAL_TYP, self.claims),
            # Its reader takes its own claims and no others, so its own is bare.
            "cairn-pseudonym+jwt": pseudonym.make_statement(
                signer=self.key,
                audience=BINDING["audience"],
                nonce=BINDING["nonce"],
                vp_token=VP_TOKEN,
                issued_at=self.seconds - 5,
            ),
            "JWT with vc": self._jws("JWT", {**beside, "vc": self.credential}),
            "JWT with vp": self._jws("JWT", {**beside, "vp": self.presentation}),
        }

    def client_attestation(self) -> str:
        """Its client is the one that every kind here names as issuer."""
        claims = {**self.claims, "sub": self.did}
        return self._jws(client_attestation.ATTESTATION_TYP, claims)

    def client_proof(self) -> str:
        """Of the key that all kinds name in `cnf`, for whatever client."""
        claims = {name: value for name, value in self.claims.items() if name != "iss"}
        return self._jws(client_attestation.POP_TYP, claims)

    def cose(self) -> dict[str, bytes]:
        """COSE_Sign1."""
        list_claims = {2: LIST, 6: self.seconds - 5, 4: self.seconds + 300, 65534: 60}
        payload = {**list_claims, 65533: {"bits": 2, "lst": compress(BITS, ZLIB)}}
        return {
            "vc+cose": self._cose("vc", canonical_json(self.credential)),
            "vp+cose": self._cose("vp", canonical_json(self.presentation)),
            "statuslist+cwt": sign_sign1(
                protected={TYP: STATUS_CWT_TYP}, payload=cbor2.dumps(payload), signer=self.key
            ),
        }

    def embedded(self) -> dict[str, JsonObject]:
        """Documents with a Data Integrity proof."""
        return {
            "credential with a proof": self._proof(self.credential, "assertionMethod"),
            "presentation with a proof": self._proof(self.presentation, "authentication"),
        }

    def _document(self, kind: str, **members: Any) -> JsonObject:
        return {
            "@context": [V2, EXAMPLES],
            "id": "urn:uuid:7b8ef8c2-7a53-4a8b-9f5e-1d1c2b3a4d5e",
            "type": [kind],
            "validFrom": "2026-01-01T00:00:00Z",
            "credentialSubject": {"id": self.did, "name": "Alice"},
            **members,
        }

    def _jws(self, typ: str, payload: JsonObject, *, by: str = "kid") -> str:
        named = {"kid": self.key.verification_method, "jwk": self.key.key.jwk}
        return jose.sign_compact(
            header={"typ": typ, by: named[by]}, payload=payload, signer=self.key
        )

    def _cose(self, member: str, payload: bytes) -> bytes:
        protected = {
            CONTENT_TYPE: f"application/{member}",
            KID: self.key.verification_method.encode(),
            TYP: f"application/{member}+cose",
            CWT_CLAIMS: {3: BINDING["audience"], 6: self.seconds - 5, 10: BINDING["nonce"]},
        }
        return sign_sign1(protected=protected, payload=payload, signer=self.key)

    def _proof(self, document: JsonObject, purpose: str) -> JsonObject:
        return add_proof(
            document,
            signer=self.key,
            cryptosuite="ecdsa-jcs-2019",
            created=self.now,
            purpose=purpose,
            contexts=bundled(),
            options={"domain": BINDING["audience"], "challenge": BINDING["nonce"]},
        )


_MAKER = Maker(KEY, NOW)
KINDS = _MAKER.kinds()

_JUDGE = Judge(frozenset({DID}))


class NotVerified(NotPermitted):
    """The verdict is a "no"."""


def _held(verdict: Verdict) -> None:
    if not verdict.is_verified:
        raise NotVerified(str(verdict.failures[0]))


def _text(value: Any) -> str:
    """As a client would send it who mixes kinds up: bytes in base64, objects as JSON."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value if isinstance(value, str) else canonical_json(value).decode()


def enveloped(value: Any, subtype: str) -> JsonObject:
    kind = "Presentation" if subtype.startswith("vp") else "Credential"
    tail = "~" if "sd-jwt" in subtype and isinstance(value, str) else ""
    return {
        "@context": V2,
        "type": f"EnvelopedVerifiable{kind}",
        "id": f"data:application/{subtype},{_text(value)}{tail}",
    }


def _credential_in(subtype: str) -> Taker:
    return lambda value: _held(_JUDGE.credential(enveloped(value, subtype)))


def _presentation_in(subtype: str) -> Taker:
    def take(value: Any) -> None:
        envelope = {**enveloped(value, subtype), "type": "EnvelopedVerifiablePresentation"}
        _held(_JUDGE.presentation(envelope))

    return take


def _embedded(judge: Callable[[Any], Verdict]) -> Taker:
    return lambda value: _held(judge(value if isinstance(value, dict) else _text(value)))


def _key_binding(value: Any) -> object:
    shown = sd_jwt.parse_sd_jwt(_MAKER.shown + _text(value))
    return sd_jwt.verify_key_binding(
        shown,
        holder_key=KEY.key,
        audience=BINDING["audience"],
        nonce=BINDING["nonce"],
        now=SECONDS,
        max_age_seconds=300,
    )


def _status_token(value: Any) -> object:
    verified = jose.verify_compact(_text(value), key=KEY.key, typ=STATUS_TOKEN_TYP)
    return parse_status_token(verified.claims, uri=LIST, now=SECONDS)


def _register_answer(value: Any) -> object:
    return jose.verify_compact(_text(value), key=KEY.key, typ=ANSWER_TYPE)


def _attestation(value: Any) -> object:
    demand = key_attestation.AttestationDemand(trusted_keys=(KEY.key,))
    return key_attestation.verify_attestation(_text(value), demand, now=SECONDS, needs_end=True)


def _client_attestation(attestation: str, proof: str) -> object:
    return client_attestation.verify_client_attestation(
        attestation,
        proof,
        Attesters((KEY.key,), ()),
        issuer_url=BINDING["audience"],
        client_id=None,
        now=SECONDS,
    )


def _order(value: Any) -> object:
    return guardians.verify_order(
        _text(value), holder=KEY.key, agency=BINDING["audience"], now=SECONDS
    )


def _approval(value: Any) -> object:
    """A guardian known under every `kid` that the kinds here have, so that only the type tells."""
    thumbprint = KEY.key.jwk_thumbprint
    case = guardians.RecoveryCase(
        agency=BINDING["audience"], arrangement="a", recovery="r", new_key=thumbprint
    )
    known = {thumbprint: KEY.key, KEY.verification_method: KEY.key}
    return guardians.verify_approval(_text(value), case=case, guardians=known, now=SECONDS)


def take_pseudonym(text: str) -> str:
    """The pseudonym that a statement gives beside `VP_TOKEN`."""
    expected = pseudonym.PseudonymExpectation(
        wish=pseudonym.Wish.REQUIRED,
        party="did:cairn:test:bar",
        audience=BINDING["audience"],
        nonce=BINDING["nonce"],
        vp_token=VP_TOKEN,
        max_age_seconds=300,
        skew_seconds=60,
        now=SECONDS,
    )
    return pseudonym.verify_pseudonym(text, expected=expected, holder_keys=())


# Who takes a signed object, and the one kind that each may take.
TAKERS: dict[str, tuple[str, Taker]] = {
    "SD-JWT VC": (
        "dc+sd-jwt",
        lambda value: verify_sd_jwt_vc(sd_jwt.parse_sd_jwt(f"{_text(value)}~"), key=KEY.key),
    ),
    "key binding": ("kb+jwt", _key_binding),
    "vc+jwt envelope": ("vc+jwt", _credential_in("vc+jwt")),
    "vp+jwt envelope": ("vp+jwt", _presentation_in("vp+jwt")),
    "vc+sd-jwt envelope": ("vc+sd-jwt", _credential_in("vc+sd-jwt")),
    "vp+sd-jwt envelope": ("vp+sd-jwt", _presentation_in("vp+sd-jwt")),
    "vc+cose envelope": ("vc+cose", _credential_in("vc+cose;base64")),
    "vp+cose envelope": ("vp+cose", _presentation_in("vp+cose;base64")),
    "application/jwt credential": ("JWT with vc", _credential_in("jwt")),
    "application/jwt presentation": ("JWT with vp", _presentation_in("jwt")),
    "embedded credential": ("credential with a proof", _embedded(_JUDGE.credential)),
    "embedded presentation": ("presentation with a proof", _embedded(_JUDGE.presentation)),
    "status token": ("statuslist+jwt", _status_token),
    "status CWT": (
        "statuslist+cwt",
        lambda value: verify_status_cwt(
            value if isinstance(value, bytes) else _text(value).encode(),
            key=KEY.key,
            uri=LIST,
            now=SECONDS,
        ),
    ),
    "key proof": (
        "openid4vci-proof+jwt",
        lambda value: key_proof.verify_key_proof(
            _text(value), audience=BINDING["audience"], now=SECONDS
        ),
    ),
    "DPoP": (
        "dpop+jwt",
        lambda value: dpop.verify_dpop(
            _text(value), method="POST", url=URL, access_token=None, now=SECONDS
        ),
    ),
    "key attestation": ("key-attestation+jwt", _attestation),
    "client attestation": (
        client_attestation.ATTESTATION_TYP,
        lambda value: _client_attestation(_text(value), _MAKER.client_proof()),
    ),
    "client attestation proof": (
        client_attestation.POP_TYP,
        lambda value: _client_attestation(_MAKER.client_attestation(), _text(value)),
    ),
    "request object": (
        "oauth-authz-req+jwt",
        lambda value: jose.verify_compact(
            _text(value), key=KEY.key, typ=presentation_request.REQUEST_TYP
        ),
    ),
    "guardian order": (guardians.ORDER_TYP, _order),
    "guardian approval": (guardians.APPROVAL_TYP, _approval),
    "register answer": (REGISTER_TYP, _register_answer),
    "pseudonym": (pseudonym.TYP, lambda value: take_pseudonym(_text(value))),
}


def is_taken(taker: Taker, value: Any) -> bool:
    """True when it is accepted; anything else than a refusal leaves."""
    try:
        taker(value)
    except Refusal:
        return False
    return True
