"""pymdoccbor: verifies a document of ours, and issues one of its own.

Input: JSON with `issuer_signed` (hex) and `doctype`. Output: whether it holds, and `issued` (hex),
an IssuerSigned by a key that it made, with `x`, `y` of the key and of the device's.
"""

import datetime
import json
import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymdoccbor.mdoc.issuer import MdocCborIssuer
from pymdoccbor.mdoc.verifier import MdocCbor

asked = json.load(sys.stdin)
response = cbor2.dumps(
    {
        "version": "1.0",
        "documents": [
            {
                "docType": asked["doctype"],
                "issuerSigned": cbor2.loads(bytes.fromhex(asked["issuer_signed"])),
            }
        ],
        "status": 0,
    }
)
theirs = MdocCbor()
theirs.loads(response.hex())
holds = theirs.verify()

key = ec.generate_private_key(ec.SECP256R1())
numbers = key.private_numbers()
public = numbers.public_numbers
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
now = datetime.datetime.now(datetime.UTC)
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(1)
    .not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=1))
    .sign(key, hashes.SHA256())
    .public_bytes(serialization.Encoding.DER)
)
device = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
issuer = MdocCborIssuer(
    alg="ES256",
    private_key={
        "KTY": "EC2",
        "CURVE": "P_256",
        "ALG": "ES256",
        "D": numbers.private_value.to_bytes(32, "big"),
        "X": public.x.to_bytes(32, "big"),
        "Y": public.y.to_bytes(32, "big"),
        "KID": b"peer",
    },
    kid="peer",
)
issued = issuer.new(
    data={asked["doctype"]: {"family_name": "Kestrel", "age_over_18": True}},
    doctype=asked["doctype"],
    validity={"issuance_date": "2026-01-01", "expiry_date": "2036-01-01"},
    devicekeyinfo={
        "KTY": "EC2",
        "CURVE": "P_256",
        "ALG": "ES256",
        "X": device.x.to_bytes(32, "big"),
        "Y": device.y.to_bytes(32, "big"),
    },
    x509_chain=[certificate],
)
signed = issued["documents"][0]["issuerSigned"] if "documents" in issued else issued
print(
    json.dumps(
        {
            "holds": bool(holds),
            "issued": cbor2.dumps(signed).hex(),
            "x": public.x.to_bytes(32, "big").hex(),
            "y": public.y.to_bytes(32, "big").hex(),
        }
    )
)
