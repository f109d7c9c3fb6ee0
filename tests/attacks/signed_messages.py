"""What each kind of signature covers, byte for byte, as the code that signs it makes it."""

from collections.abc import Callable

import cbor2

from identity.core.data_integrity.suites import find_cryptosuite
from identity.core.stopping import resumption_message
from registry.consortium.contribution import TYPE as CONTRIBUTION_TYPE
from registry.core.cosignature import cosignature_message
from registry.core.encoding import base64url_encode, canonical_json
from registry.core.light_client.encodings import vote_message
from registry.core.light_client.light_block import BlockId, Commit, CommitVote, VoteKind
from registry.core.transactions import TYPE as TRANSACTION_TYPE
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import KeySigner

# One text for all kinds: an attacker who chooses what is signed chooses this.
TEXT = "cairn/testnet\n7\n" + "A" * 44 + "\n"


def _jws(_key: KeySigner) -> bytes:
    header = base64url_encode(canonical_json({"alg": "EdDSA", "typ": "kb+jwt"}))
    return f"{header}.{base64url_encode(TEXT.encode())}".encode()


def _cose(_key: KeySigner) -> bytes:
    return cbor2.dumps(["Signature1", cbor2.dumps({1: -8}), b"", TEXT.encode()])


def _data_integrity(key: KeySigner) -> bytes:
    config = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "proofPurpose": "assertionMethod",
        "verificationMethod": key.verification_method,
    }
    suite = find_cryptosuite("eddsa-jcs-2022")
    return suite.hash_data(  # type: ignore[union-attr]
        {"name": TEXT}, config, key_type=key.key.type, contexts=bundled()
    )


def _vote(_key: KeySigner) -> bytes:
    vote = CommitVote(kind=VoteKind.COMMIT, address=bytes(20), time=10**18, signature=bytes(64))
    block = BlockId(bytes(32), 1, bytes(32))
    commit = Commit(height=7, round=0, block=block, votes=(vote,))
    return vote_message(commit, vote, "cairn-testnet")


MESSAGES: dict[str, Callable[[KeySigner], bytes]] = {
    "transaction": lambda _: TRANSACTION_TYPE.encode() + b"\0" + TEXT.encode(),
    "contribution": lambda _: CONTRIBUTION_TYPE.encode() + b"\0" + TEXT.encode(),
    "resumption": lambda _: resumption_message(TEXT.split("\n")[0], TEXT),
    "head": lambda _: TEXT.encode(),
    "cosignature": lambda _: cosignature_message(TEXT, 7),
    "consensus vote": _vote,
    "JWS": _jws,
    "COSE": _cose,
    "Data Integrity": _data_integrity,
}
