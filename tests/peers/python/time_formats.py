"""How often openvc issues and verifies in a second of processor time.

In: seconds, claims, disclosable, document.
"""

import copy
import json
import statistics
import sys
import time
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from openvc.keys import Ed25519SigningKey, P256SigningKey
from openvc.proof.di_jcs import EcdsaJcsProofSuite, EddsaJcsProofSuite
from openvc.proof.sd_jwt import SdJwtVcProofSuite

MESSAGE = bytes(200)
FLOOR_SECONDS = 0.1
PARTS = 5


def part(work, seconds):
    count, begun = 0, time.process_time()
    while (spent := time.process_time() - begun) < seconds:
        work()
        count += 1
    return count / spent


def bare(what, curve):
    """The bare operation of a key of that kind."""
    if curve == "P-256":
        private = ec.generate_private_key(ec.SECP256R1())
        signature = private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
        if what == "issue":
            return lambda: private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
        public = private.public_key()
        return lambda: public.verify(signature, MESSAGE, ec.ECDSA(hashes.SHA256()))
    private = ed25519.Ed25519PrivateKey.generate()
    signature, public = private.sign(MESSAGE), private.public_key()
    return lambda: private.sign(MESSAGE) if what == "issue" else public.verify(signature, MESSAGE)


def rate(work, what, curve, seconds):
    floor = bare(what, curve)
    for _ in range(20):
        work()
    rates, ratios = [], []
    for _ in range(PARTS):
        beside = part(floor, FLOOR_SECONDS)
        rates.append(part(work, seconds / PARTS))
        ratios.append(beside / rates[-1])
    return {"perSecond": statistics.median(rates), "bare": statistics.median(ratios)}


def both(issue, verify, curve, seconds):
    return {
        "issue": rate(issue, "issue", curve, seconds),
        "verify": rate(verify, "verify", curve, seconds),
    }


def main():
    given = json.load(sys.stdin)
    seconds = given["seconds"]
    figures = {}
    key, holder = P256SigningKey.generate("did:example:i#1"), P256SigningKey.generate("h")
    suite = SdJwtVcProofSuite()
    claims = dict(given["claims"])
    vct = claims.pop("vct")

    def issue():
        return suite.issue(
            claims,
            signing_key=key,
            disclosable=given["disclosable"],
            holder_jwk=holder.public_jwk(),
            vct=vct,
        )

    shown = suite.create_presentation(
        issue(),
        holder_key=holder,
        audience="https://verifier.example",
        nonce="n",
    )

    def verify():
        return suite.verify(
            shown,
            public_key_jwk=key.public_jwk(),
            audience="https://verifier.example",
            nonce="n",
            require_key_binding=True,
        )

    figures["SD-JWT VC"] = both(issue, verify, "P-256", seconds)
    for name, jcs, signer, curve in (
        ("eddsa-jcs-2022", EddsaJcsProofSuite(), Ed25519SigningKey.generate("k"), "Ed25519"),
        ("ecdsa-jcs-2019, P-256", EcdsaJcsProofSuite(), key, "P-256"),
    ):
        document = copy.deepcopy(given["document"])

        def secure(jcs=jcs, signer=signer, document=document):
            return jcs.add_proof(
                document,
                signing_key=signer,
                verification_method="did:example:i#1",
                created=datetime.now(UTC),
            )

        secured = secure()

        def check(jcs=jcs, signer=signer, secured=secured):
            return jcs.verify(secured, public_key_jwk=signer.public_jwk())

        figures[name] = both(secure, check, curve, seconds)
    print(json.dumps(figures))


main()
