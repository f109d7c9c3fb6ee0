"""A scripted citizen: a small wallet without a screen, speaking only the public protocols.

It does what the wallet page does (OpenID4VCI 1.0 pre-authorized code, OpenID4VP 1.0 by
`request_uri` and `direct_post`), so that stories, benches and tests need no browser.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx2

from identity.adapters.key_files import P256FileKey, key_from_seed
from identity.core import jose, pseudonym, sd_jwt
from identity.core.certificate_chains import key_of_leaf, verify_chain
from identity.core.client_identifier import ClientIdPrefix
from identity.core.credential_digest import anchor_claim, credential_digest
from identity.core.encrypted_answer import encrypt_answer
from identity.core.signing import NamedSigner
from identity.core.verification.did_documents import is_self_describing, key_of
from registry.core.encoding import (
    JsonObject,
    base64_decode,
    base64url_encode,
    parse_json,
    parse_json_object,
)
from registry.core.hashing import sha256
from registry.core.keys import KeyType, PublicKey, parse_jwk, parse_multikey
from registry.core.refusals import Malformed, NotPermitted, Unavailable

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
MAX_COPIES = 4  # copies of one credential that this wallet asks for


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """One copy of a credential, bound to a key that nobody else has."""

    configuration: str
    issuer: str
    text: str  # SD-JWT with all disclosures, no key binding
    key: P256FileKey


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified presentation request: who asks, and for what."""

    client_id: str
    payload: JsonObject

    @property
    def claims(self) -> list[str]:
        """Names of the claims asked for, for the consent sentence."""
        return [
            str(claim["path"][-1])
            for query in self.payload["dcql_query"]["credentials"]
            for claim in query.get("claims", ())
        ]


class Holder:
    """A wallet in memory.

    Args:
        http: client for every address; time-outs are its own.
        resolver: base URL of a DID resolver (`{resolver}/1.0/identifiers/{did}`).
        random: source of random bytes.
        now: unix seconds.
        roots: DER of the roots of relying parties that ask by certificate.
    """

    def __init__(
        self,
        *,
        http: httpx2.Client,
        resolver: str,
        random: Callable[[int], bytes],
        now: Callable[[], int],
        roots: Sequence[bytes] = (),
    ) -> None:
        self._http = http
        self._roots = tuple(roots)
        self._resolver = resolver
        self._random = random
        self._now = now
        self.copies: list[HeldCopy] = []
        self._pseudonym_keys: dict[str, P256FileKey] = {}  # by name of the relying party

    def accept_offer(
        self, uri: str, *, tx_code: str | None, key: P256FileKey | None = None
    ) -> list[HeldCopy]:
        """Redeem an `openid-credential-offer://` link: token, nonce, key proofs, credentials.

        Args:
            uri: the link.
            tx_code: the transaction code, when the offer has one.
            key: proves possession by DPoP; an offer may be for one key alone.

        Returns:
            The copies received, also kept in `copies`.
        """
        offer = self._read_offer(uri)
        issuer = offer["credential_issuer"]
        metadata = self._get(well_known(issuer, "openid-credential-issuer"))
        server = self._get(well_known(issuer, "oauth-authorization-server"))
        grant = offer["grants"][PRE_AUTHORIZED]
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": grant["pre-authorized_code"]}
        if tx_code is not None:
            form["tx_code"] = tx_code
        url = server["token_endpoint"]
        proof = {} if key is None else {"DPoP": self._dpop(key, url, None)}
        token = self._answer(self._http.post(url, data=form, headers=proof))["access_token"]

        def bearer(url: str) -> dict[str, str]:
            if key is None:
                return {"Authorization": f"Bearer {token}"}
            return {"Authorization": f"DPoP {token}", "DPoP": self._dpop(key, url, token)}

        received = []
        for configuration in offer["credential_configuration_ids"]:
            described = metadata["credential_configurations_supported"][configuration]
            if described["format"] != "dc+sd-jwt":
                continue
            size = metadata.get("batch_credential_issuance", {}).get("batch_size", 1)
            nonce = self._answer(self._http.post(metadata["nonce_endpoint"]))["c_nonce"]
            holder_keys = [self._new_key() for _ in range(min(size, MAX_COPIES))]
            answer = self._answer(
                self._http.post(
                    metadata["credential_endpoint"],
                    headers=bearer(metadata["credential_endpoint"]),
                    json={
                        "credential_configuration_id": configuration,
                        "proofs": {
                            "jwt": [self._key_proof(own, issuer, nonce) for own in holder_keys]
                        },
                    },
                )
            )
            copies = self._match(answer["credentials"], holder_keys, configuration, issuer)
            received += copies
            if "notification_id" in answer:
                self._http.post(
                    metadata["notification_endpoint"],
                    headers=bearer(metadata["notification_endpoint"]),
                    json={
                        "notification_id": answer["notification_id"],
                        "event": "credential_accepted",
                    },
                ).raise_for_status()
        self.copies += received
        return received

    def receipt(self, copy: HeldCopy) -> JsonObject | None:
        """The anchor receipt of a copy, or None while its batch is not sealed."""
        answer = self._http.get(f"{copy.issuer}/receipts/{base64url_encode(digest_of(copy))}")
        if answer.status_code == 404:
            return None
        return self._answer(answer)

    def read_request(self, link: str) -> Asked:
        """Fetch the request behind an `openid4vp://` link and check who signed it.

        Raises:
            NotPermitted: not signed by the party it names, or not the party of the link.
        """
        query = read_link(link)
        client_id = query["client_id"]
        if "request" in query:
            text = query["request"]
        elif "request_uri" in query:
            text = self._http.post(query["request_uri"], data={}).raise_for_status().text
        else:  # an unsigned request: nobody vouches for it, and whoever uses this knows that
            return Asked(client_id, _unsigned(query))
        verified = jose.verify_compact(
            text,
            key=self._asking_key(client_id, jose.parse_compact(text).header),
            typ="oauth-authz-req+jwt",
        )
        if verified.claims["client_id"] != client_id:
            raise NotPermitted("the request names another party than the link")
        return Asked(client_id, verified.claims)

    def answer_request(
        self, asked: Asked, *, copy: HeldCopy, alter: Callable[[str], str] = lambda text: text
    ) -> httpx2.Response:
        """Consent: disclose what the first query asks, bound to this party and nonce.

        Args:
            asked: from `read_request`.
            copy: the copy to spend.
            alter: changes the presentation on its way out; for stories about forgery.
        """
        query = asked.payload["dcql_query"]["credentials"][0]
        paths = [tuple(claim["path"]) for claim in query.get("claims", ())]
        presentation = sd_jwt.add_key_binding(
            sd_jwt.present(copy.text, paths),
            signer=NamedSigner(copy.key, "holder"),
            audience=asked.client_id,
            nonce=asked.payload["nonce"],
            issued_at=self._now(),
        )
        parameters: JsonObject = {
            "vp_token": {query["id"]: [alter(presentation)]},
            "state": asked.payload["state"],
        }
        if asked.payload.get("pseudonym") in (pseudonym.Wish.WANTED, pseudonym.Wish.REQUIRED):
            parameters["pseudonym"] = pseudonym.make_statement(
                signer=NamedSigner(self._pseudonym_key(asked), "pseudonym"),
                audience=asked.client_id,
                nonce=asked.payload["nonce"],
                vp_token=parameters["vp_token"],
                issued_at=self._now(),
            )
        if (receipt := self.receipt(copy)) is not None:
            parameters["anchor_receipts"] = {query["id"]: [receipt]}
        return self._http.post(asked.payload["response_uri"], data=self._form(asked, parameters))

    def _pseudonym_key(self, asked: Asked) -> P256FileKey:
        """The key for whoever proved this name. What `verifier_info` says of itself does not count:
        a party that named another there would be shown the other's pseudonym key.
        """
        if asked.client_id not in self._pseudonym_keys:
            self._pseudonym_keys[asked.client_id] = self._new_key()
        return self._pseudonym_keys[asked.client_id]

    def _form(self, asked: Asked, parameters: JsonObject) -> dict[str, str]:
        if asked.payload["response_mode"] != "direct_post.jwt":
            return {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in parameters.items()
            }
        metadata = asked.payload["client_metadata"]
        enc = metadata.get("encrypted_response_enc_values_supported", ["A128GCM"])[-1]
        (jwk,) = metadata["jwks"]["keys"]
        return {"response": encrypt_answer(parameters, jwk, enc=enc, random=self._random)}

    def _read_offer(self, uri: str) -> JsonObject:
        query = read_link(uri)
        if "credential_offer" in query:
            return parse_json_object(query["credential_offer"])
        return self._get(query["credential_offer_uri"])

    def _new_key(self) -> P256FileKey:
        key = key_from_seed(KeyType.P256, self._random(32))
        if not isinstance(key, P256FileKey):
            raise TypeError("a P-256 seed makes a P-256 key")
        return key

    def _key_proof(self, key: P256FileKey, issuer: str, nonce: str) -> str:
        return jose.sign_compact(
            header={"typ": "openid4vci-proof+jwt", "jwk": key.key.jwk},
            payload={"aud": issuer, "iat": self._now(), "nonce": nonce},
            signer=NamedSigner(key, "holder"),
        )

    def _dpop(self, key: P256FileKey, url: str, token: str | None) -> str:
        claims: JsonObject = {
            "htm": "POST",
            "htu": url,
            "iat": self._now(),
            "jti": base64url_encode(self._random(16)),
        }
        if token is not None:
            claims["ath"] = base64url_encode(sha256(token.encode()))
        header: JsonObject = {"typ": "dpop+jwt", "jwk": key.key.jwk}
        return jose.sign_compact(header=header, payload=claims, signer=NamedSigner(key, "holder"))

    def _match(
        self, entries: Sequence[JsonObject], keys: Sequence[P256FileKey], name: str, issuer: str
    ) -> list[HeldCopy]:
        """Find the key that each credential is bound to; an unknown key is an error."""
        by_thumbprint = {key.key.jwk_thumbprint: key for key in keys}
        copies = []
        for entry in entries:
            payload = issuer_payload(entry["credential"])
            holder = _thumbprint(payload["cnf"]["jwk"])
            if holder not in by_thumbprint:
                raise NotPermitted("the issuer bound a credential to a key that is not ours")
            copies.append(HeldCopy(name, issuer, entry["credential"], by_thumbprint.pop(holder)))
        return copies

    def _asking_key(self, client_id: str, header: JsonObject) -> PublicKey:
        """The key that may sign under this client identifier."""
        prefix, _, name = client_id.partition(":")
        if prefix == ClientIdPrefix.DID:
            method = str(header.get("kid", ""))
            if not method.startswith(name + "#"):
                raise NotPermitted("the request is signed by another party than the link names")
            if is_self_describing(name):
                return key_of(method)
            return self._authentication_key(name, method)
        chain = [base64_decode(item) for item in header.get("x5c", ())]
        certificates = verify_chain(
            chain, roots=self._roots, now=datetime.fromtimestamp(self._now(), UTC)
        )
        if prefix != ClientIdPrefix.X509_HASH or base64url_encode(sha256(chain[0])) != name:
            raise NotPermitted("the request is signed under another certificate than the link's")
        return key_of_leaf(certificates[0])

    def _authentication_key(self, did: str, method: str) -> PublicKey:
        document = self._answer(
            self._http.get(
                f"{self._resolver}/1.0/identifiers/{did}", headers={"Accept": "application/did"}
            )
        )
        if method not in document.get("authentication", ()):
            raise NotPermitted("the request is signed with a key that is not for requests")
        for entry in document["verificationMethod"]:
            if entry["id"] == method:
                return parse_multikey(entry["publicKeyMultibase"])
        raise NotPermitted("the DID document does not hold the key of the request")

    def _get(self, url: str) -> JsonObject:
        return self._answer(self._http.get(url))

    @staticmethod
    def _answer(response: httpx2.Response) -> JsonObject:
        if response.status_code >= 500:
            raise Unavailable(f"{urlsplit(str(response.url)).path} answers {response.status_code}")
        body = parse_json_object(response.content)
        if response.status_code >= 400:
            reason = body.get("error_description") or body.get("detail") or body.get("error")
            raise NotPermitted(f"{response.status_code}: {reason}")
        return body


def well_known(identifier: str, name: str) -> str:
    """`/.well-known/{name}` inserted between host and path (RFC 8414 §3.1)."""
    parts = urlsplit(identifier)
    return urlunsplit((parts.scheme, parts.netloc, f"/.well-known/{name}{parts.path}", "", ""))


def issuer_payload(text: str) -> JsonObject:
    """Payload of the issuer-signed part of an SD-JWT, not verified."""
    return jose.parse_compact(text.split("~", 1)[0]).claims


def digest_of(copy: HeldCopy) -> bytes:
    """The digest under which a copy is anchored, recomputed from its content."""
    payload = issuer_payload(copy.text)
    return credential_digest(payload, anchor_claim(payload).salt)


def _unsigned(query: dict[str, str]) -> JsonObject:
    """The parameters of a request in a query string; objects are JSON text there."""
    return {
        name: parse_json(text) if text.startswith(("{", "[")) else text
        for name, text in query.items()
    }


def _thumbprint(jwk: JsonObject) -> str:
    return parse_jwk(jwk).jwk_thumbprint


def read_link(uri: str) -> dict[str, str]:
    """The parameters of a link, as a QR code or an e-mail holds it.

    Raises:
        Malformed: no link with parameters, or one that names a parameter twice.
    """
    try:
        values = parse_qs(urlsplit(uri).query, strict_parsing=True, max_num_fields=64)
    except ValueError as error:
        raise Malformed("not a link with parameters") from error
    if any(len(items) != 1 for items in values.values()):
        raise Malformed("the link names a parameter twice")
    return {name: items[0] for name, items in values.items()}
