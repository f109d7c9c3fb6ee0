"""openvc-core and pycose: verify enveloped credentials of ours; pycose signs its own.

Input: JSON with `credentials` by name, `cose` by name ({message, jwk}), and a `document` to sign.
Output: what each of them says, and COSE messages (hex) with the JWK of their key.
"""

import base64
import json
import sys

import cbor2
from openvc.verify import VerificationPolicy, verify_credential
from pycose.algorithms import EdDSA, Es256, Es384, Es512
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import EC2Key, OKPKey
from pycose.messages import Sign1Message


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_key(jwk: dict) -> object:
    if jwk["kty"] == "OKP":
        return OKPKey(crv="ED25519", x=decoded(jwk["x"]))
    names = {"P-256": "P_256", "P-384": "P_384", "P-521": "P_521"}
    return EC2Key(crv=names[jwk["crv"]], x=decoded(jwk["x"]), y=decoded(jwk["y"]))


asked = json.load(sys.stdin)
answers: dict = {"openvc": {}, "cose": {}, "signed": []}
for name, credential in asked["credentials"].items():
    try:
        verify_credential(credential, policy=VerificationPolicy())
        answers["openvc"][name] = "verified"
    except Exception as error:
        answers["openvc"][name] = f"{type(error).__name__}: {error}"
for name, one in asked["cose"].items():
    try:
        # pycose 1.1 cannot read the tuples that cbor2 6 makes below a tag; so they are lists here.
        parts = [*cbor2.loads(bytes.fromhex(one["message"])).value]
        parts[1] = dict(parts[1])
        message = Sign1Message.from_cose_obj(parts, True)
        message.key = public_key(one["jwk"])
        answers["cose"][name] = bool(message.verify_signature())
    except Exception as error:
        answers["cose"][name] = f"{type(error).__name__}: {error}"
for algorithm, crv, jwk_crv in (
    (Es256, "P_256", "P-256"),
    (Es384, "P_384", "P-384"),
    (Es512, "P_521", "P-521"),
    (EdDSA, "ED25519", "Ed25519"),
):
    if algorithm is EdDSA:
        key = OKPKey.generate_key(crv=crv)
        jwk = {"kty": "OKP", "crv": jwk_crv, "x": encoded(key.x)}
    else:
        key = EC2Key.generate_key(crv=crv)
        size = {"P-256": 32, "P-384": 48, "P-521": 66}[jwk_crv]
        jwk = {
            "kty": "EC",
            "crv": jwk_crv,
            "x": encoded(key.x.rjust(size, b"\0")),
            "y": encoded(key.y.rjust(size, b"\0")),
        }
    did = "did:jwk:" + encoded(json.dumps(jwk).encode())
    message = Sign1Message(
        phdr={Algorithm: algorithm, ContentType: "application/vc", KID: f"{did}#0".encode()},
        payload=json.dumps({**asked["document"], "issuer": did}).encode(),
    )
    message.key = key
    answers["signed"].append({"did": did, "message": message.encode().hex()})
print(json.dumps(answers))
