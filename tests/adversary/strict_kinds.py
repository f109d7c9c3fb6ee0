"""Kinds that are judged with everything behind the verifier: ledger, lists, anchor, ten checks."""

import copy
import random
from typing import Any

from identity.core import jose, sd_jwt
from identity.core.data_integrity import add_base_proof
from identity.core.deriving import derive
from identity.core.sd_jwt.format import digest_of
from identity.core.signing import NamedSigner
from identity.core.verification import pipeline
from identity.core.verification.verdict import Verdict
from registry.core.encoding import (
    base64url_decode,
    base64url_encode,
    parse_json,
    parse_json_object,
)
from registry.core.keys import KeyType
from registry.core.refusals import Refusal
from tests.adversary.judging import NOW
from tests.adversary.kinds import SIGNATURE, Embedded, Kind, Tree, named, plain
from tests.adversary.trees import Twice, fresh, write
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import KeySigner
from tests.identity.core.verification.faults import Trial
from tests.identity.verifier.stage import CLAIMS, Stage, holder_signer

STAGE = Stage()


def _encoded(part: Any) -> str:
    return base64url_encode(write(part).encode("utf-8", "surrogatepass"))


class StrictSdJwt(Kind):
    """An SD-JWT VC that its holder shows to a bar: issuer's JWT, disclosures, key binding."""

    name = "dc+sd-jwt"
    bad_signature = frozenset(
        {
            f"proof:{SIGNATURE}",
            f"holder_binding:{SIGNATURE}",
            "holder_binding:key_binding_not_valid",
        }
    )
    own_method = own_name = frozenset({"issuer:issuer_not_bound", "issuer:issuer_not_trusted"})

    def __init__(self) -> None:
        self.trial = Trial(STAGE)
        self.signatures: list[Any] = []
        self.held = [
            STAGE.issue(claims={**CLAIMS, "given_name": name}) for name in ("Alice", "Bob", "Eve")
        ]
        super().__init__(KeyType.P256)

    def _shown(self, number: int) -> str:
        self.trial.held, self.trial.shown = self.held[number], None
        return str(self.trial.present())

    def make(self, number: int) -> Tree:
        shown = sd_jwt.parse_sd_jwt(self._shown(number))
        assert shown.key_binding is not None
        binding = jose.parse_compact(shown.key_binding)
        parts = (shown.issuer_jwt, shown.key_binding)
        self.signatures.append(tuple(part.rpartition(".")[2] for part in parts))
        return {
            "header": shown.jws.header,
            "payload": shown.jws.claims,
            "disclosures": [parse_json(base64url_decode(text)) for text in shown.disclosures],
            "binding": {"header": binding.header, "payload": binding.claims},
        }

    def _tail(self, tree: Tree) -> str:
        disclosures = tree.get("disclosures")
        if not isinstance(disclosures, list):
            return f"~{disclosures}~"
        return "~" + "".join(f"{_encoded(item)}~" for item in disclosures)

    def _binding_input(self, tree: Tree, shown: str | None = None) -> str:
        binding = tree.get("binding")
        if not isinstance(binding, dict):
            return str(binding)
        payload = binding.get("payload")
        if shown is not None and isinstance(payload, dict):
            ours = self.tree["binding"]["payload"]["sd_hash"]
            if payload.get("sd_hash") == ours:
                payload = copy.copy(payload)
                payload["sd_hash"] = _digest(shown)
        return f"{_encoded(binding.get('header'))}.{_encoded(payload)}"

    def _written(self, tree: Tree, signatures: tuple[str, str]) -> str:
        jwt = f"{_encoded(tree.get('header'))}.{_encoded(tree.get('payload'))}.{signatures[0]}"
        return f"{jwt}{self._tail(tree)}{self._binding_input(tree)}.{signatures[1]}"

    def original(self) -> Any:
        return self._written(self.tree, self.signatures[0])

    def other(self) -> Any:
        return self._written(self.donors[0], self.signatures[1])

    def unsigned(self, tree: Tree) -> Any:
        return self._written(tree, self.signatures[0])

    def spliced(self, tree: Tree) -> Any:
        return self._written(tree, self.signatures[1])

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        one = STAGE.agency.jose if key is self.right else key
        text = f"{_encoded(tree.get('header'))}.{_encoded(tree.get('payload'))}"
        shown = f"{text}.{base64url_encode(one.sign(text.encode()))}{self._tail(tree)}"
        binding = self._binding_input(tree, shown)
        holder = holder_signer().sign(binding.encode("utf-8", "replace"))
        return f"{shown}{binding}.{base64url_encode(holder)}"

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        changed = fresh(tree)
        ours = key is self.right
        named = STAGE.agency.jose if ours else key
        if isinstance(changed.get("header"), dict):
            changed["header"]["kid"] = named.verification_method
            changed["header"]["alg"] = named.key.algorithm
        if also_issuer and isinstance(changed.get("payload"), dict):
            changed["payload"]["iss"] = self.tree["payload"]["iss"] if ours else key.key.did_key
        return changed

    def judge(self, sent: Any) -> Verdict:
        self.trial.shown = sent
        self.trial.held = self.held[0]
        try:
            return self.trial.verdict()
        except Refusal as refusal:
            return pipeline.refuse(refusal, now=STAGE.now)


def _digest(shown: str) -> str:
    return digest_of(shown)


class StatusToken(Kind):
    """The Token Status List behind a credential; the credential is fine throughout."""

    name = "statuslist+jwt"
    bad_signature = frozenset({f"status:{SIGNATURE}"})
    own_method = own_name = frozenset({"status:status_of_other_issuer"})

    def __init__(self) -> None:
        self.trial = Trial(STAGE)
        self.trial.shown = self.trial.present()
        self.uri = STAGE.agency.uri("token")
        self.body = STAGE.agency.bodies[self.uri].decode()
        super().__init__(KeyType.P256)

    def make(self, number: int) -> Tree:
        parsed = jose.parse_compact(self.body)
        claims = {**parsed.claims, "ttl": 15 + number}
        return {"header": parsed.header, "payload": claims}

    def _signature(self, tree: Tree, key: Any) -> str:
        return base64url_encode(key.sign(self._input(tree).encode()))

    def _input(self, tree: Tree) -> str:
        return f"{_encoded(tree.get('header'))}.{_encoded(tree.get('payload'))}"

    def original(self) -> Any:
        self.signatures = [self._signature(t, STAGE.agency.jose) for t in (self.tree, *self.donors)]
        return f"{self._input(self.tree)}.{self.signatures[0]}"

    def other(self) -> Any:
        return f"{self._input(self.donors[0])}.{self.signatures[1]}"

    def unsigned(self, tree: Tree) -> Any:
        return f"{self._input(tree)}.{self.signatures[0]}"

    def spliced(self, tree: Tree) -> Any:
        return f"{self._input(tree)}.{self.signatures[1]}"

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        one = STAGE.agency.jose if key is self.right else key
        return f"{self._input(tree)}.{self._signature(tree, one)}"

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        changed = fresh(tree)
        named = STAGE.agency.jose if key is self.right else key
        if isinstance(changed.get("header"), dict):
            changed["header"]["kid"] = named.verification_method
            changed["header"]["alg"] = named.key.algorithm
        return changed

    def judge(self, sent: Any) -> Verdict:
        STAGE.agency.bodies[self.uri] = sent.encode("utf-8", "replace")
        try:
            return self.trial.verdict()
        finally:
            STAGE.agency.bodies[self.uri] = self.body.encode()


class Derived(Embedded):
    """What a holder derived from a credential with ecdsa-sd-2023; its document is changed."""

    def __init__(self, cryptosuite: str = "ecdsa-sd-2023") -> None:
        self.renames: list[str] = []
        super().__init__(cryptosuite, KeyType.P256, plain)
        # What is left out shifts the labels, which is noticed before any signature is looked at.
        self.bad_signature |= {"proof:proof_not_valid", "proof:proof_malformed"}

    def make(self, number: int) -> Tree:
        """The document alone: a proof is derived anew whenever somebody signs."""
        signed = self._derived(plain(self, number), self.right)
        self._proofs = [*getattr(self, "_proofs", ()), signed.pop("proof")]
        return signed

    def _derived(self, document: Tree, key: KeySigner, method: str | None = None) -> Tree:
        base = add_base_proof(
            document,
            signer=NamedSigner(key, method or self.right.verification_method),
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
            random=random.Random(1).randbytes,
        )
        pointers = [f"/{name.replace('~', '~0').replace('/', '~1')}" for name in document]
        return derive(
            base,
            {"selectivePointers": pointers},
            contexts=bundled(),
            random=random.Random(2).randbytes,
        )

    def _with(self, tree: Tree, number: int, **changes: str) -> Any:
        whole = {**tree, "proof": {**self._proofs[number], **changes}}
        return super().unsigned(Twice(whole, tree.again) if isinstance(tree, Twice) else whole)

    def unsigned(self, tree: Tree) -> Any:
        return self._with(tree, 0)

    def spliced(self, tree: Tree) -> Any:
        return self._with(tree, 1)

    def other(self) -> Any:
        return self._with(self.donors[0], 1)

    def signed(self, tree: Tree, key: KeySigner) -> Any:
        method = self.renames.pop() if self.renames else None
        try:
            document = parse_json_object(write(tree))
            document.pop("proof", None)
            derived = self._derived(document, key, method)
            return super().unsigned(derived)
        except Refusal:
            return self._with(tree, 0, **({"verificationMethod": method} if method else {}))

    def renamed(self, tree: Tree, key: KeySigner, *, also_issuer: bool) -> Tree:
        changed = fresh(tree)
        self.renames = [key.verification_method]
        if also_issuer:
            named(changed, key, self.party)
        return changed

    def is_value_changed(self, tree: Tree) -> bool:
        return False
