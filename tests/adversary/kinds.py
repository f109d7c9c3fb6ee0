"""The kinds of signed object that are mutated, each as a tree that can be written and signed again.

A tree holds everything that is signed, headers too. `unsigned` writes a changed tree under the
old signature, `signed` signs it with any key, claiming any name.
"""

import random
from base64 import b64encode
from collections.abc import Callable
from functools import cached_property
from typing import Any

import cbor2
import pyld

from identity.core import sd_jwt
from identity.core.data_integrity import add_proof
from identity.core.data_integrity.suites import find_cryptosuite
from identity.core.verification import pipeline
from identity.core.verification.verdict import Verdict
from identity.issuer.securing import envelop
from registry.core.encoding import (
    base58_encode,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json,
    parse_json_object,
)
from registry.core.keys import KeyType
from registry.core.refusals import Refusal
from tests.adversary.judging import BINDING, NOW, SECONDS, Judge
from tests.adversary.trees import Twice, fresh, write
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import KeySigner, signer

V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
DATE = "2026-11-20T11:59:50Z"
SIGNATURE = "signature_not_valid"

Tree = dict[str, Any]

_ALG = {KeyType.ED25519: -8, KeyType.P256: -7, KeyType.P384: -35, KeyType.P521: -36}


def credential(issuer: KeySigner, holder: KeySigner, number: int = 0) -> Tree:
    """A credential with members of every kind; `number` makes others of the same issuer."""
    return {
        "@context": [V2, EXAMPLES],
        "id": f"urn:uuid:0b8ef8c2-7a53-4a8b-9f5e-{number:012d}",
        "type": ["VerifiableCredential", "ExampleDegreeCredential"],
        "issuer": {"id": issuer.key.did_key, "name": "Example University"},
        "validFrom": "2024-01-01T00:00:00Z",
        "validUntil": f"20{30 + number}-01-01T00:00:00Z",
        "credentialSubject": {
            "id": holder.key.did_key,
            "degree": {"type": "ExampleBachelorDegree", "name": f"Bachelor {number}"},
            "alumniOf": [f"School {number}", "University"],
            "score": 7 + number,
            "honours": number % 2 == 0,
        },
    }


def plain(kind: "Kind", number: int) -> Tree:
    """The document of a credential by `kind.right`."""
    return credential(kind.right, kind.holder, number)


def presentation(kind: "Kind", number: int, *, claims: bool = True) -> Tree:
    """A presentation by `kind.right`, who is the subject, of a credential by `kind.issuer`."""
    held = credential(kind.issuer, kind.right, number)
    embedded = isinstance(kind, Embedded)
    secured = (
        add_proof(
            held,
            signer=kind.issuer,
            cryptosuite="ecdsa-jcs-2019",
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
        )
        if embedded
        else envelop(
            held, signer=kind.issuer, securing="vc+jwt", options={}, random=random.randbytes
        )
    )
    stated = {"aud": BINDING["audience"], "nonce": BINDING["nonce"], "iat": SECONDS - 10}
    return {
        "@context": [V2],
        "id": f"urn:uuid:1b8ef8c2-7a53-4a8b-9f5e-{number:012d}",
        "type": ["VerifiablePresentation"],
        "holder": kind.right.key.did_key,
        "verifiableCredential": [secured],
        **(stated if claims and not embedded and not isinstance(kind, Cose) else {}),
    }


class Kind:
    """One kind of signed object.

    Args:
        right: the key whose signature counts.
        wrong: others: of the same type, and of another.
    """

    name = ""
    own_method: frozenset[str] = frozenset({"issuer:issuer_not_bound"})
    own_name: frozenset[str] = frozenset({"issuer:issuer_not_trusted"})
    bad_signature: frozenset[str] = frozenset({f"proof:{SIGNATURE}"})

    def __init__(self, key_type: KeyType = KeyType.P256) -> None:
        self.right = signer(key_type, 1)
        self.holder = signer(KeyType.ED25519, 50)
        other = KeyType.ED25519 if key_type is not KeyType.ED25519 else KeyType.P256
        self.wrong = (signer(key_type, 2), signer(other, 3), self.holder)
        self.issuer = signer(KeyType.P256, 90)  # of what is in a presentation
        self.judge_of = Judge(frozenset({self.right.key.did_key, self.issuer.key.did_key}))
        self.prepare()
        self.tree = self.make(0)
        self.donors = [self.make(1), self.make(2)]
        self.twin = self.original()
        self.foreign = self.other()

    def prepare(self) -> None:
        """For kinds whose keys are of a type of their own."""

    def make(self, number: int) -> Tree:
        raise AssertionError("each kind makes its own")

    def original(self) -> Any:
        """The object as its signer made it."""
        return self.signed(self.tree, self.right)

    def other(self) -> Any:
        """Another object of the same signer."""
        return self.signed(self.donors[0], self.right)

    def unsigned(self, tree: Tree) -> Any:
        raise AssertionError("each kind writes itself")

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        raise AssertionError("each kind signs itself")

    def judge(self, sent: Any) -> Verdict:
        return self.judge_of.credential(sent)

    def spliced(self, tree: Tree) -> Any:
        """`tree` under the signature of another object of the same signer."""
        raise AssertionError("each kind splices itself")

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        """`tree` as somebody else would sign it under a key of their own."""
        raise AssertionError("each kind names its key")

    bad_value: frozenset[str] = frozenset()

    def is_value_changed(self, tree: Tree) -> bool:
        """A signature that stands in the tree itself was changed, so signing again heals that."""
        return False

    def is_same(self, sent: Any) -> bool:
        """It says what its signer signed (here or in `foreign`), maybe in other words."""
        return bool(sent in (self.twin, self.foreign))


def named(document: Tree, key: KeySigner, party: str) -> None:
    if isinstance(document, dict):
        if isinstance(document.get(party), dict):
            document[party]["id"] = key.key.did_key
        else:
            document[party] = key.key.did_key


class Jws(Kind):
    """`vc+jwt` and `vp+jwt`."""

    def __init__(self, name: str, key_type: KeyType, document: Callable[..., Tree]) -> None:
        self.name = f"{name} {key_type}"
        self.member = name[:2]
        self.typ = name
        self._document = document
        if self.member == "vp":
            self.bad_signature = frozenset({f"holder_binding:{SIGNATURE}", f"proof:{SIGNATURE}"})
            self.own_method = frozenset(
                {"holder_binding:holder_is_not_signer", "holder_binding:holder_is_not_subject"}
            )
            self.own_name = frozenset({"holder_binding:holder_is_not_subject"})
        super().__init__(key_type)

    def make(self, number: int) -> Tree:
        return {
            "header": {
                "alg": self.right.key.algorithm,
                "typ": self.typ,
                "kid": self.right.verification_method,
            },
            "payload": self._document(self, number),
        }

    def _input(self, tree: Tree) -> str:
        return ".".join(
            base64url_encode(write(tree.get(part)).encode("utf-8", "surrogatepass"))
            for part in ("header", "payload")
        )

    def envelope(self, text: str) -> Tree:
        kind = "Credential" if self.member == "vc" else "Presentation"
        return {
            "@context": V2,
            "type": f"EnvelopedVerifiable{kind}",
            "id": f"data:application/{self.typ},{text}",
        }

    def unsigned(self, tree: Tree) -> Any:
        return self.envelope(f"{self._input(tree)}.{self.twin['id'].rpartition('.')[2]}")

    def spliced(self, tree: Tree) -> Any:
        return self.envelope(f"{self._input(tree)}.{self.foreign['id'].rpartition('.')[2]}")

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        text = self._input(tree)
        return self.envelope(f"{text}.{base64url_encode(key.sign(text.encode()))}")

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        changed = fresh(tree)
        if isinstance(changed.get("header"), dict):
            changed["header"]["kid"] = key.verification_method
            changed["header"]["alg"] = key.key.algorithm
        if also_issuer:
            named(changed.get("payload", {}), key, "issuer" if self.member == "vc" else "holder")
        return changed

    def judge(self, sent: Any) -> Verdict:
        if self.member == "vc":
            return self.judge_of.credential(sent)
        return self.judge_of.presentation(sent)


class SdJwt(Jws):
    """`vc+sd-jwt`, with two members of the subject disclosed, and `vp+sd-jwt`."""

    def make(self, number: int) -> Tree:
        document = self._document(self, number)
        paths: list[Any] = (
            [("credentialSubject", "degree"), ("credentialSubject", "score"), ("id",)]
            if self.member == "vc"
            else [("id",)]
        )
        payload, disclosures = sd_jwt.make_disclosures(
            document, random=random.Random(number).randbytes, paths=paths
        )
        parsed = [parse_json(base64url_decode(text)) for text in disclosures]
        return {**super().make(number), "payload": payload, "disclosures": parsed}

    def _tail(self, tree: Tree) -> str:
        disclosures = tree.get("disclosures")
        if not isinstance(disclosures, list):
            return "~" + str(disclosures)
        texts = (
            base64url_encode(write(item).encode("utf-8", "surrogatepass")) for item in disclosures
        )
        return "~" + "".join(f"{text}~" for text in texts)

    def unsigned(self, tree: Tree) -> Any:
        signature = self.twin["id"].partition("~")[0].rpartition(".")[2]
        return self.envelope(f"{self._input(tree)}.{signature}{self._tail(tree)}")

    def spliced(self, tree: Tree) -> Any:
        signature = self.foreign["id"].partition("~")[0].rpartition(".")[2]
        return self.envelope(f"{self._input(tree)}.{signature}{self._tail(tree)}")

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        text = self._input(tree)
        signature = base64url_encode(key.sign(text.encode()))
        return self.envelope(f"{text}.{signature}{self._tail(tree)}")

    def is_same(self, sent: Any) -> bool:
        """Holding back a disclosure, and another order of them, are the holder's right."""
        jwt, *disclosures = sent["id"].split("~")
        for one in (self.twin, self.foreign):
            ours, *all_of_them = one["id"].split("~")
            if jwt == ours and set(disclosures) <= set(all_of_them):
                return len(set(disclosures)) == len(disclosures)
        return False


class Cose(Kind):
    """`vc+cose` and `vp+cose`."""

    def __init__(self, name: str, key_type: KeyType, document: Callable[..., Tree]) -> None:
        self.name = f"{name} {key_type}"
        self.member = name[:2]
        self._document = document
        if self.member == "vp":
            self.bad_signature = frozenset({f"holder_binding:{SIGNATURE}", f"proof:{SIGNATURE}"})
            self.own_method = frozenset(
                {"holder_binding:holder_is_not_signer", "holder_binding:holder_is_not_subject"}
            )
            self.own_name = frozenset({"holder_binding:holder_is_not_subject"})
        super().__init__(key_type)

    def make(self, number: int) -> Tree:
        claims = {3: BINDING["audience"], 6: SECONDS - 10, 10: BINDING["nonce"]}
        return {
            "protected": {
                1: _ALG[self.right.key.type],
                3: f"application/{self.member}",
                4: self.right.verification_method.encode(),
                16: f"application/{self.member}+cose",
                **({15: claims} if self.member == "vp" else {}),
            },
            "payload": self._document(self, number),
        }

    def original(self) -> Any:
        return self.unsigned(self.tree)

    def other(self) -> Any:
        return self.spliced(self.donors[0])

    def _parts(self, tree: Tree) -> tuple[bytes, bytes]:
        return (
            _write_cbor(tree.get("protected")),
            write(tree.get("payload")).encode("utf-8", "surrogatepass"),
        )

    def _envelope(self, header: bytes, payload: bytes, signature: bytes) -> Tree:
        message = cbor2.dumps(cbor2.CBORTag(18, [header, {}, payload, signature]))
        kind = "Credential" if self.member == "vc" else "Presentation"
        return {
            "@context": V2,
            "type": f"EnvelopedVerifiable{kind}",
            "id": f"data:application/{self.member}+cose;base64,{b64encode(message).decode()}",
        }

    @cached_property
    def _foreign_signature(self) -> bytes:
        return self._sign(self.donors[0], self.right)

    @cached_property
    def _signature(self) -> bytes:
        return self._sign(self.tree, self.right)

    def _sign(self, tree: Tree, key: KeySigner) -> bytes:
        header, payload = self._parts(tree)
        return key.sign(cbor2.dumps(["Signature1", header, b"", payload]))

    def unsigned(self, tree: Tree) -> Any:
        return self._envelope(*self._parts(tree), self._signature)

    def spliced(self, tree: Tree) -> Any:
        return self._envelope(*self._parts(tree), self._foreign_signature)

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        return self._envelope(*self._parts(tree), self._sign(tree, key))

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        changed = fresh(tree)
        if isinstance(changed.get("protected"), dict):
            changed["protected"][4] = key.verification_method.encode()
            changed["protected"][1] = _ALG[key.key.type]
        if also_issuer:
            named(changed.get("payload", {}), key, "issuer" if self.member == "vc" else "holder")
        return changed

    def judge(self, sent: Any) -> Verdict:
        if self.member == "vc":
            return self.judge_of.credential(sent)
        return self.judge_of.presentation(sent)


def _write_cbor(value: Any) -> bytes:
    """CBOR in the order of the tree, repeated members of a map and all."""
    if isinstance(value, dict):
        pairs = [*value.items(), *getattr(value, "again", ())]
        head = bytes([0xA0 + len(pairs)]) if len(pairs) < 24 else bytes([0xB8, len(pairs)])
        return head + b"".join(_write_cbor(key) + _write_cbor(item) for key, item in pairs)
    if isinstance(value, list):
        head = bytes([0x80 + len(value)]) if len(value) < 24 else bytes([0x98, len(value)])
        return head + b"".join(_write_cbor(item) for item in value)
    return cbor2.dumps(value)


class Embedded(Kind):
    """A document with a Data Integrity proof, written as JSON."""

    party = "issuer"

    def __init__(self, cryptosuite: str, key_type: KeyType, document: Callable[..., Tree]) -> None:
        self.cryptosuite = cryptosuite
        self.suite = find_cryptosuite(cryptosuite)
        self.name = f"{'vp' if self.party == 'holder' else 'vc'} {cryptosuite} {key_type}"
        self._document = document
        if self.party == "holder":
            self.bad_signature = frozenset({f"holder_binding:{SIGNATURE}", f"proof:{SIGNATURE}"})
            self.own_method = frozenset(
                {"holder_binding:holder_is_not_signer", "holder_binding:holder_is_not_subject"}
            )
            self.own_name = frozenset({"holder_binding:holder_is_not_subject"})
        # A key of another type than the suite's is refused before its signature is looked at.
        self.own_method |= {"proof:proof_not_valid", "holder_binding:proof_not_valid"}
        self.own_name |= {"proof:proof_not_valid", "holder_binding:proof_not_valid"}
        reasons = ("proof_malformed", "proof_not_valid", "json_ld_refused", "malformed", SIGNATURE)
        checks = ("proof", "holder_binding")
        self.bad_value = frozenset(f"{check}:{why}" for check in checks for why in reasons)
        super().__init__(key_type)

    def make(self, number: int) -> Tree:
        document = self._document(self, number)
        proof = {
            "type": "DataIntegrityProof",
            "cryptosuite": self.cryptosuite,
            "created": DATE,
            "verificationMethod": self.right.verification_method,
            "proofPurpose": "assertionMethod" if self.party == "issuer" else "authentication",
        }
        if self.party == "holder":
            proof.update(domain=BINDING["audience"], challenge=BINDING["nonce"])
        if self.cryptosuite.endswith(("-jcs-2022", "-jcs-2019")):
            proof["@context"] = fresh(document["@context"])
        return {**document, "proof": {**proof, "proofValue": self._value(document, proof)}}

    def original(self) -> Any:
        return self.unsigned(self.tree)

    def other(self) -> Any:
        return self.unsigned(self.donors[0])

    def _value(self, document: Tree, proof: Tree, key: KeySigner | None = None) -> str:
        one = key or self.right
        if "@context" in proof and getattr(self.suite, "own_context", False):
            document = {**document, "@context": proof["@context"]}
        message = self.suite.hash_data(  # type: ignore[union-attr]
            document, proof, key_type=one.key.type, contexts=bundled()
        )
        return "z" + base58_encode(one.sign(message))

    def unsigned(self, tree: Tree) -> Any:
        return write(tree).encode("utf-8", "surrogatepass")

    def spliced(self, tree: Tree) -> Any:
        changed = fresh(tree)
        if isinstance(changed.get("proof"), dict):
            changed["proof"]["proofValue"] = self.donors[0]["proof"]["proofValue"]
        return self.unsigned(changed)

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        proof = tree.get("proof")
        if isinstance(proof, dict) and not isinstance(proof, Twice):
            config = {name: value for name, value in proof.items() if name != "proofValue"}
            document = {name: value for name, value in tree.items() if name != "proof"}
            try:
                value = self._value(document, config, key)
                signed = {**document, "proof": {**config, "proofValue": value}}
                if isinstance(tree, Twice):
                    return self.unsigned(Twice(signed, tree.again))
                return self.unsigned(signed)
            except Refusal:
                pass  # nobody can sign that; the verifier says why
        return self.unsigned(tree)

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        changed = fresh(tree)
        if isinstance(changed.get("proof"), dict):
            changed["proof"]["verificationMethod"] = key.verification_method
        if also_issuer:
            named(changed, key, self.party)
        return changed

    def judge(self, sent: Any) -> Verdict:
        try:
            document = parse_json_object(sent)
        except Refusal as refusal:
            return pipeline.refuse(refusal, now=NOW)
        if self.party == "issuer":
            return self.judge_of.credential(document)
        return self.judge_of.presentation(document)

    def is_value_changed(self, tree: Tree) -> bool:
        proof = tree.get("proof")
        ours = self.tree["proof"]["proofValue"]
        return isinstance(proof, dict) and proof.get("proofValue") != ours

    def is_same(self, sent: Any) -> bool:
        """Equal for whoever canonicalises: as JSON, or as a graph."""
        said = self._meaning(parse_json_object(sent))
        ours = (parse_json_object(one) for one in (self.twin, self.foreign))
        return any(said == self._meaning(one) for one in ours)

    def _meaning(self, document: Tree) -> Any:
        proofs = document.get("proof")
        listed = proofs if isinstance(proofs, list) else [proofs]
        if not listed or any(item != listed[0] for item in listed):
            return None
        proof = dict(listed[0])
        value = proof.pop("proofValue", None)
        content = {name: item for name, item in document.items() if name != "proof"}
        if getattr(self.suite, "own_context", False):
            # Contexts may be appended after signing (VC DI EdDSA 1.0 §3.3.2).
            signed = proof.get("@context", [])
            if content.get("@context", [])[: len(signed)] == signed:
                content["@context"] = signed
            return (value, canonical_json(content), canonical_json(proof))
        proof["@context"] = content.get("@context")
        return (value, _graph(content), _graph(proof))


class EmbeddedPresentation(Embedded):
    """A presentation with its holder's proof around a credential with its issuer's."""

    party = "holder"


def _graph(document: Tree) -> str:
    """Canonical N-Quads by PyLD alone, which shares nothing with our canonicalisation."""
    options = {
        "algorithm": "URDNA2015",
        "format": "application/n-quads",
        "documentLoader": _load_context,
    }
    return str(pyld.jsonld.normalize(document, options))


def _load_context(url: str, _options: Any) -> Any:
    data = bundled().published(url)
    assert data is not None, url
    return {"contextUrl": None, "documentUrl": url, "document": parse_json_object(data)}
