"""A verifier of others (polaris-oid4vp, HAIP): asks once, prints the link and then its verdict.

Usage: polaris_verifier.py ROOT.pem VCT CLAIM. First line: JSON with `link` and `anchor`. Second
line, when a wallet has answered: JSON with the verdict.
"""

import json
import pathlib
import queue
import sys
import tempfile
import urllib.parse

from cryptography.x509 import load_pem_x509_certificates
from polaris_oid4vp.cli import FILES, keygen
from polaris_oid4vp.serve import REQUEST_PATH, RESPONSE_PATH, serve
from polaris_oid4vp.verifier import Verifier

root, vct, claim = sys.argv[1:]
pki = pathlib.Path(tempfile.mkdtemp())
keygen(pki, "127.0.0.1")
verdicts: queue.Queue = queue.Queue()
verifier = Verifier(
    client_cert_pem=(pki / FILES["client_cert"]).read_bytes(),
    client_key_pem=(pki / FILES["client_key"]).read_bytes(),
    request_uri="http://127.0.0.1:0" + REQUEST_PATH,
    response_uri="http://127.0.0.1:0" + RESPONSE_PATH,
    issuer_trust_anchors=load_pem_x509_certificates(pathlib.Path(root).read_bytes()),
    vct_values=[vct],
    claims=[{"path": [claim], "values": [True]}],
)
httpd = serve(
    verifier,
    host="127.0.0.1",
    port=0,
    on_verdict=lambda status, body, verdict: verdicts.put((status, verdict)),
)
base = f"http://127.0.0.1:{httpd.server_address[1]}"
verifier.request_uri, verifier.response_uri = base + REQUEST_PATH, base + RESPONSE_PATH
session, _ = verifier.new_request()
parameters = verifier.authorization_request_params(session)
link = "openid4vp://?" + urllib.parse.urlencode(parameters)
anchor = (pki / FILES["anchor"]).read_text()
print(json.dumps({"link": link, "anchor": anchor}), flush=True)
status, verdict = verdicts.get(timeout=60)
print(
    json.dumps({"status": status, "verdict": verdict.as_dict() if verdict else None}, default=str)
)
httpd.shutdown()
httpd.server_close()
