"""A verifier of others (openvc-core): judges what a wallet answered to a query.

Input: JSON with `vp_token`, `query`, `nonce`, `client_id`, `root` (PEM), `contexts` by address, and
`documents`: DID documents by DID, beside did:key and did:jwk. Output: JSON with what it found in
each presentation, or with its refusal.
"""

import json
import sys

from cryptography.x509 import load_pem_x509_certificates
from openvc.did.base import DidResolutionError, DidResolverRegistry, parse_did_document
from openvc.did.did_jwk import DidJwkResolver
from openvc.did.did_key import DidKeyResolver
from openvc.errors import OpenvcError
from openvc.openid4vp import verify_vp_token

asked = json.load(sys.stdin)
documents = asked.get("documents", {})


class Given:
    """The documents that came along; a verifier elsewhere would fetch them by https."""

    def supports(self, did):
        return did in documents

    def resolve(self, did):
        if did not in documents:
            raise DidResolutionError(did)
        return parse_did_document(documents[did])


try:
    result = verify_vp_token(
        asked["vp_token"],
        dcql_query=asked["query"],
        nonce=asked["nonce"],
        client_id=asked["client_id"],
        x5c_trust_anchors=load_pem_x509_certificates(asked["root"].encode()),
        extra_contexts=asked.get("contexts") or None,
        resolver=DidResolverRegistry([Given(), DidJwkResolver(), DidKeyResolver()]),
    )
    print(json.dumps({"verified": True, "text": repr(result)[:4000]}))
except OpenvcError as error:
    print(json.dumps({"verified": False, "text": f"{type(error).__name__}: {error}"[:1000]}))
