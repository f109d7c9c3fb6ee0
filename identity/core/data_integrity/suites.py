"""The cryptosuites that we know, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from identity.core import jsonld
from identity.core.data_integrity.bbs_2023 import Bbs2023Suite
from identity.core.data_integrity.ecdsa_sd import EcdsaSdSuite
from identity.core.data_integrity.suite import Cryptosuite, HashedSuite
from identity.core.jsonld import ContextStore
from registry.core.encoding import JsonObject, canonical_json
from registry.core.keys import KeyType
from registry.core.refusals import Malformed


class CryptosuiteNotKnown(Malformed):
    """The proof names no cryptosuite, or one that is not built in."""


def canonical_rdf(document: JsonObject, *, contexts: ContextStore, hash_name: str) -> bytes:
    """Canonical N-Quads (RDFC-1.0) of a JSON-LD document, in UTF-8."""
    return jsonld.canonicalise(document, contexts, hash_name=hash_name).nquads.encode("utf-8")


def canonical_jcs(document: JsonObject, *, contexts: ContextStore, hash_name: str) -> bytes:  # noqa: ARG001
    """JSON Canonicalization Scheme (RFC 8785); contexts are signed as they are written."""
    return canonical_json(document)


_EDDSA = frozenset({KeyType.ED25519})
_ECDSA = frozenset({KeyType.P256, KeyType.P384})

EDDSA_RDFC_2022 = HashedSuite("eddsa-rdfc-2022", _EDDSA, canonical_rdf, own_context=False)
EDDSA_JCS_2022 = HashedSuite("eddsa-jcs-2022", _EDDSA, canonical_jcs, own_context=True)
ECDSA_RDFC_2019 = HashedSuite("ecdsa-rdfc-2019", _ECDSA, canonical_rdf, own_context=False)
ECDSA_SD_2023 = EcdsaSdSuite()
BBS_2023 = Bbs2023Suite()
ECDSA_JCS_2019 = HashedSuite("ecdsa-jcs-2019", _ECDSA, canonical_jcs, own_context=True)

CRYPTOSUITES: Mapping[str, Cryptosuite] = MappingProxyType(
    {
        suite.name: suite
        for suite in (
            EDDSA_RDFC_2022,
            EDDSA_JCS_2022,
            ECDSA_RDFC_2019,
            ECDSA_JCS_2019,
            ECDSA_SD_2023,
            BBS_2023,
        )
    }
)


def find_cryptosuite(name: object) -> Cryptosuite:
    """The suite of that name.

    Raises:
        CryptosuiteNotKnown: no such suite here.
    """
    if not isinstance(name, str) or name not in CRYPTOSUITES:
        raise CryptosuiteNotKnown("cryptosuite is missing or not known here")
    return CRYPTOSUITES[name]
