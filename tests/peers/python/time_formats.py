"""How often a second openvc issues and verifies. In: seconds, claims, disclosable, document."""

import copy
import json
import sys
import time
from datetime import UTC, datetime

from openvc.keys import Ed25519SigningKey, P256SigningKey
from openvc.proof.di_jcs import EcdsaJcsProofSuite, EddsaJcsProofSuite
from openvc.proof.sd_jwt import SdJwtVcProofSuite


def rate(work, seconds):
    for _ in range(20):
        work()
    count, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds:
        work()
        count += 1
    return count / spent


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

    figures["SD-JWT VC"] = {"issue": rate(issue, seconds), "verify": rate(verify, seconds)}
    for name, jcs, signer in (
        ("eddsa-jcs-2022", EddsaJcsProofSuite(), Ed25519SigningKey.generate("k")),
        ("ecdsa-jcs-2019, P-256", EcdsaJcsProofSuite(), key),
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

        figures[name] = {"issue": rate(secure, seconds), "verify": rate(check, seconds)}
    print(json.dumps(figures))


main()
