"""A verifier of others (openvc-core): judges what a wallet answered to a query.

Input: JSON with `vp_token`, `query`, `nonce`, `client_id`, `root` (PEM), `contexts`, and
`documents`: DID documents by DID. Output: JSON with what it found in each presentation.
"""

import json
import sys

from cryptography.x509 import load_pem_x509_certificates
from openvc.openid4vp import verify_vp_token

asked = json.load(sys.stdin)
anchors = load_pem_x509_certificates(asked["root"].encode())
result = verify_vp_token(
    asked["vp_token"],
    dcql_query=asked["query"],
    nonce=asked["nonce"],
    client_id=asked["client_id"],
    x5c_trust_anchors=anchors,
    extra_contexts=asked.get("contexts") or None,
)
print(json.dumps({"verified": True, "text": repr(result)[:4000]}))
