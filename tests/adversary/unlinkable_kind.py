"""What a holder derived from a credential with bbs-2023: changed, and proven by other keys."""

import random
from dataclasses import dataclass

from identity.adapters.bbs_keys import BbsKey, bbs_key_from_seed
from identity.core.bbs.curve import BbsMalformed
from identity.core.bbs.keys import BbsPublicKey
from identity.core.data_integrity import add_bbs_base_proof
from identity.core.deriving import derive
from tests.adversary.judging import NOW, Judge
from tests.adversary.kinds import Tree, plain
from tests.adversary.strict_kinds import Derived
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import KeySigner


@dataclass(frozen=True)
class Renamed:
    """A BBS key that says it is another."""

    private: BbsKey
    verification_method: str

    @property
    def key(self) -> BbsPublicKey:
        return self.private.key

    def sign(self, **given):
        return self.private.sign(**given)

    def sign_blind(self, commitment, **given):
        return self.private.sign_blind(commitment, **given)


class DerivedUnlinkably(Derived):
    """As `Derived`; a proof is made of other randomness each time."""

    def __init__(self) -> None:
        self._random = random.Random(20261126)
        super().__init__("bbs-2023")
        # The proof of another document does not count its statements, or does not verify.
        self.bad_signature |= {"proof:bbs_not_valid", "proof:bbs_malformed"}
        # A key of another type is none that this suite lets in.
        self.own_method |= {"proof:key_not_admitted"}
        self.own_name |= {"proof:key_not_admitted"}

    def prepare(self) -> None:
        self.right, other = (bbs_key_from_seed(bytes([n]) * 32) for n in (1, 2))
        self.wrong = (other, *self.wrong[1:])
        self.judge_of = Judge(frozenset({self.right.key.did_key, self.issuer.key.did_key}))

    def _derived(self, document: Tree, key: BbsKey | KeySigner, method: str | None = None) -> Tree:
        if not isinstance(key, BbsKey):
            raise BbsMalformed("no key of this kind")
        base = add_bbs_base_proof(
            document,
            signer=Renamed(key, method or self.right.verification_method),
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
            random=self._random.randbytes,
        )
        pointers = [f"/{name.replace('~', '~0').replace('/', '~1')}" for name in document]
        return derive(
            base,
            {"selectivePointers": pointers},
            contexts=bundled(),
            random=self._random.randbytes,
        )

    def make(self, number: int) -> Tree:
        signed = self._derived(plain(self, number), self.right)
        self._proofs = [*getattr(self, "_proofs", ()), signed.pop("proof")]
        return signed
