"""What a controller says about a DID: its keys, each with one purpose, services and other names."""

import re
from dataclasses import dataclass
from functools import lru_cache

from registry.core.did_url import DidNotValid
from registry.core.did_web import web_url
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.fields import choice, items, members, octets, token, url
from registry.core.hashing import sha256
from registry.core.identifiers import FRAGMENT
from registry.core.keys import LEDGER_KEY_TYPES, KeyNotAdmitted, PublicKey, parse_multikey
from registry.core.refusals import Malformed

# Verification relationships (Controlled Identifiers 1.0 §2.3), and what Cairn uses each for.
PURPOSES = (
    "capabilityInvocation",  # signs transactions on the ledger
    "assertionMethod",  # signs credentials and status lists
    "authentication",  # signs presentation requests
)
INVOCATION = PURPOSES[0]
RECOVERY = "recovery"  # the purpose of keys that stand in no document

# New keys sign, and so does an old one: all of them fit into 16 signatures.
MAX_METHODS = 10
MAX_RECOVERY_KEYS = 4
MAX_SERVICES = 10
MAX_NAMES = 10
MAX_COMMITMENTS = 10

_SERVICE_TYPE = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")


def read_key(value: object) -> PublicKey:
    """Admit a multikey, and remember it: the state is full of keys that were admitted before.

    Raises:
        KeyNotAdmitted: as `parse_multikey`, or of a type that the ledger does not take; refusals
            are not remembered.
    """
    if not isinstance(value, str):
        raise KeyNotAdmitted("key is not a string")
    return _admitted(value)


@lru_cache(maxsize=4096)  # admission is dearer than a verification
def _admitted(multikey: str) -> PublicKey:
    key = parse_multikey(multikey)
    if key.type not in LEDGER_KEY_TYPES:
        raise KeyNotAdmitted("key is of a type that the ledger does not take")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationMethod:
    """A key under a fragment, for one purpose."""

    fragment: str
    key: PublicKey
    purpose: str

    def to_object(self) -> JsonObject:
        """The method as it stands in a transaction."""
        return {
            "fragment": self.fragment,
            "publicKeyMultibase": self.key.multikey,
            "purposes": [self.purpose],
        }

    @classmethod
    def parse(cls, value: object) -> "VerificationMethod":
        """Read a method.

        Raises:
            Malformed: another shape, a key that is not admitted, none or several purposes.
        """
        found = members(
            value,
            "verification method",
            required=("fragment", "publicKeyMultibase", "purposes"),
        )
        # One key, one purpose: what is signed for the ledger is never taken for a credential.
        (purpose,) = items(
            found["purposes"],
            "purposes of a key",
            low=1,
            high=1,
            read=lambda item: choice(item, "purpose", PURPOSES),
        )
        return cls(
            fragment=token(found["fragment"], "fragment", FRAGMENT),
            key=read_key(found["publicKeyMultibase"]),
            purpose=purpose,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryKey:
    """A key kept apart, which may sign `update-did` when the others are lost. In no document."""

    fragment: str
    key: PublicKey

    def to_object(self) -> JsonObject:
        """The key as it stands in a transaction."""
        return {"fragment": self.fragment, "publicKeyMultibase": self.key.multikey}

    @classmethod
    def parse(cls, value: object) -> "RecoveryKey":
        """Read a recovery key.

        Raises:
            Malformed: another shape, or a key that is not admitted.
        """
        found = members(value, "recovery key", required=("fragment", "publicKeyMultibase"))
        return cls(
            fragment=token(found["fragment"], "fragment", FRAGMENT),
            key=read_key(found["publicKeyMultibase"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where the controller can be reached, for software."""

    fragment: str
    type: str
    endpoint: str

    def to_object(self) -> JsonObject:
        """The service as it stands in a transaction."""
        return {"fragment": self.fragment, "type": self.type, "serviceEndpoint": self.endpoint}

    @classmethod
    def parse(cls, value: object) -> "Service":
        """Read a service.

        Raises:
            Malformed: another shape, no type name, an endpoint that is no https URL.
        """
        found = members(value, "service", required=("fragment", "type", "serviceEndpoint"))
        return cls(
            fragment=token(found["fragment"], "fragment", FRAGMENT),
            type=token(found["type"], "service type", _SERVICE_TYPE),
            endpoint=url(found["serviceEndpoint"], "service endpoint"),
        )


def key_commitment(key: PublicKey) -> bytes:
    """What a controller publishes of a key that it will rotate to: SHA-256 of its multikey."""
    return sha256(key.multikey.encode("ascii"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DidDetails:
    """All that one version of a DID says.

    `next_key_commitments` are SHA-256 digests of the multikeys of the next ledger keys. Empty
    `next_key_commitments` and `recovery` are left out of the JSON form, so that it is one.
    """

    verification_methods: tuple[VerificationMethod, ...]
    also_known_as: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    next_key_commitments: tuple[bytes, ...] = ()
    recovery: tuple[RecoveryKey, ...] = ()

    @property
    def held(self) -> tuple[tuple[str, PublicKey, str], ...]:
        """Every key with its fragment before and its purpose, or `recovery`, after it."""
        return (
            *((m.fragment, m.key, m.purpose) for m in self.verification_methods),
            *((r.fragment, r.key, RECOVERY) for r in self.recovery),
        )

    @property
    def invocation_keys(self) -> tuple[PublicKey, ...]:
        """The keys that sign transactions."""
        return tuple(m.key for m in self.verification_methods if m.purpose == INVOCATION)

    def to_members(self) -> JsonObject:
        """The members of a transaction's body, or of a record, that hold these details."""
        result: JsonObject = {
            "verificationMethods": [method.to_object() for method in self.verification_methods],
            "alsoKnownAs": list(self.also_known_as),
            "services": [service.to_object() for service in self.services],
        }
        if self.next_key_commitments:
            result["nextKeyCommitments"] = [base64url_encode(c) for c in self.next_key_commitments]
        if self.recovery:
            result["recovery"] = [key.to_object() for key in self.recovery]
        return result

    @classmethod
    def parse(cls, found: JsonObject, *, may_be_empty: bool = False) -> "DidDetails":
        """Read details from an object whose member names the caller has checked.

        Args:
            may_be_empty: no keys at all, as after deactivation, is allowed.

        Raises:
            Malformed: another shape, a name that is neither https URL nor `did:web`, two things
                under one fragment, one key twice, a commitment
                to a key that is already here, or no key for `capabilityInvocation`.
        """
        details = cls(
            verification_methods=items(
                found["verificationMethods"],
                "verificationMethods",
                low=0 if may_be_empty else 1,
                high=MAX_METHODS,
                read=VerificationMethod.parse,
            ),
            also_known_as=items(
                found["alsoKnownAs"],
                "alsoKnownAs",
                low=0,
                high=MAX_NAMES,
                read=_other_name,
                unique=lambda item: item,
            ),
            services=items(
                found["services"], "services", low=0, high=MAX_SERVICES, read=Service.parse
            ),
            next_key_commitments=items(
                found["nextKeyCommitments"],
                "nextKeyCommitments",
                low=1,
                high=MAX_COMMITMENTS,
                read=lambda item: octets(item, "key commitment", size=32),
                unique=lambda item: item,
            )
            if "nextKeyCommitments" in found
            else (),
            recovery=items(
                found["recovery"],
                "recovery",
                low=1,
                high=MAX_RECOVERY_KEYS,
                read=RecoveryKey.parse,
            )
            if "recovery" in found
            else (),
        )
        _check_details(details, may_be_empty=may_be_empty)
        return details


def _other_name(value: object) -> str:
    """Another name of the controller: a URL, or the `did:web` of one."""
    if not isinstance(value, str) or not value.startswith("did:"):
        return url(value, "alsoKnownAs")
    try:
        web_url(value)
    except DidNotValid as error:
        raise Malformed(f"alsoKnownAs: {error.detail}") from error
    return value


DETAIL_MEMBERS = ("verificationMethods", "alsoKnownAs", "services")
OPTIONAL_DETAIL_MEMBERS = ("nextKeyCommitments", "recovery")


def _check_details(details: DidDetails, *, may_be_empty: bool) -> None:
    held = details.held
    fragments = [*(item[0] for item in held), *(service.fragment for service in details.services)]
    if len(set(fragments)) != len(fragments):
        raise Malformed("two things stand under one fragment")
    keys = {key for _, key, _ in held}
    if len(keys) != len(held):
        raise Malformed("one key stands under two fragments")
    if not details.invocation_keys and not may_be_empty:
        raise Malformed("no key has the purpose capabilityInvocation")
    if any(key_commitment(key) in details.next_key_commitments for key in keys):
        raise Malformed("a key commitment names a key that is already in use")
