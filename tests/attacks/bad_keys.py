"""Keys that nobody may bring in, in each form in which keys arrive."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.core.encoding import (
    base58_encode,
    base64url_encode,
    canonical_json,
)

# The 14 encodings of the eight points of low order, as printed with the CCTV vectors.
LOW_ORDER = (
    bytes(32),
    bytes(31) + b"\x80",
    b"\x01" + bytes(31),
    b"\x01" + bytes(30) + b"\x80",
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xec" + b"\xff" * 31,
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xed" + b"\xff" * 31,
    b"\xee" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 31,
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
)
_ED25519, _X25519, _ED448 = b"\xed\x01", b"\xec\x01", b"\x83\x26"
_P256, _P384, _P521, _K256 = b"\x80\x24", b"\x81\x24", b"\x82\x24", b"\xe7\x01"
_BLS_G1, _BLS_G2, _RSA = b"\xea\x01", b"\xeb\x01", b"\x85\x24"
_NIST = {
    "P-256": (ec.SECP256R1(), _P256, 32),
    "P-384": (ec.SECP384R1(), _P384, 48),
    "P-521": (ec.SECP521R1(), _P521, 66),
}
FIELD_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1


@dataclass(frozen=True)
class Bad:
    """One key: as multicodec bytes, as raw Ed25519 bytes, and as JWKs, where it has the form."""

    name: str
    multicodec: bytes | None = None
    ed25519: bytes | None = None
    jwks: tuple[Any, ...] = field(default=(), compare=False)

    @property
    def multikey(self) -> str:
        """`publicKeyMultibase`."""
        assert self.multicodec is not None
        return "z" + base58_encode(self.multicodec)


def okp(data: bytes, crv: str = "Ed25519") -> dict[str, Any]:
    """A JWK of a curve whose points are one number."""
    return {"kty": "OKP", "crv": crv, "x": base64url_encode(data)}


def elliptic(x: bytes, y: bytes, crv: str) -> dict[str, Any]:
    """A JWK of a curve whose points are two numbers."""
    return {"kty": "EC", "crv": crv, "x": base64url_encode(x), "y": base64url_encode(y)}


def did_jwk(jwk: Any) -> str:
    """A `did:jwk` with any JWK in it."""
    return f"did:jwk:{base64url_encode(canonical_json(jwk))}"


def _point(curve: ec.EllipticCurve, form: PublicFormat, number: int = 987654321) -> bytes:
    key = ec.derive_private_key(number, curve).public_key()
    return key.public_bytes(Encoding.X962, form)


def _is_on(curve: ec.EllipticCurve, data: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, data)
    except ValueError:
        return False
    return True


def _ed25519_keys() -> Iterator[Bad]:
    for data in LOW_ORDER:
        yield Bad(
            f"low order {data[:1].hex()}…{data[-1:].hex()}", _ED25519 + data, data, (okp(data),)
        )
    for name, data in (
        ("on no curve", b"\x02" + bytes(31)),
        ("all ones", b"\xff" * 32),
        ("31 bytes", bytes(range(31))),
        ("33 bytes", bytes(range(33))),
        ("empty", b""),
        ("64 bytes", bytes(range(64))),
    ):
        yield Bad(f"Ed25519, {name}", _ED25519 + data, data, (okp(data),))


def _nist_keys() -> Iterator[Bad]:
    for crv, (curve, codec, size) in _NIST.items():
        point = _point(curve, PublicFormat.CompressedPoint)
        whole = _point(curve, PublicFormat.UncompressedPoint)
        x, y = whole[1 : 1 + size], whole[1 + size :]
        wrong_y = y[:-1] + bytes([y[-1] ^ 1])
        off = next(
            candidate
            for number in range(1, 100)
            if not _is_on(curve, candidate := b"\x02" + number.to_bytes(size, "big"))
        )
        zero, ones = bytes(size), b"\xff" * size
        for name, encoded, jwk in (
            ("off the curve", off, elliptic(x, wrong_y, crv)),
            ("the point at infinity", b"\x00", elliptic(b"", b"", crv)),
            ("zero", bytes(1 + size), elliptic(zero, zero, crv)),
            ("cut short", point[:-1], elliptic(x[:-1], y, crv)),
            ("one byte more", point + b"\0", elliptic(x + b"\0", y, crv)),
            ("not compressed", whole, elliptic(b"\0" + x, y, crv)),
            ("hybrid", b"\x06" + whole[1:], elliptic(x, x, crv)),
            ("x no field element", b"\x02" + ones, elliptic(ones, y, crv)),
        ):
            yield Bad(f"{crv}, {name}", codec + encoded, None, (jwk,))
        for other, (_, prefix, _) in _NIST.items():
            if other != crv:
                jwk = elliptic(x, y, other)
                yield Bad(f"{crv} said to be {other}", prefix + point, None, (jwk,))
    x = (FIELD_P256 + 5).to_bytes(32, "big")  # 5 is the x of a point; this is another spelling
    yield Bad("P-256, x not reduced", _P256 + b"\x02" + x, None, (elliptic(x, x, "P-256"),))


def _foreign_keys() -> Iterator[Bad]:
    # One whose x is that of no point of P-256; of the others, nobody could tell.
    number = next(
        number
        for number in range(1, 100)
        if not _is_on(ec.SECP256R1(), _point(ec.SECP256K1(), PublicFormat.CompressedPoint, number))
    )
    k256 = _point(ec.SECP256K1(), PublicFormat.CompressedPoint, number)
    whole = _point(ec.SECP256K1(), PublicFormat.UncompressedPoint, number)
    yield Bad("secp256k1", _K256 + k256, None, (elliptic(whole[1:33], whole[33:], "secp256k1"),))
    yield Bad(
        "secp256k1 said to be P-256",
        _P256 + k256,
        None,
        (elliptic(whole[1:33], whole[33:], "P-256"),),
    )
    for curve in (ec.SECP192R1(), ec.SECP224R1(), ec.BrainpoolP256R1()):
        whole = _point(curve, PublicFormat.UncompressedPoint)
        half = len(whole) // 2
        for crv in (curve.name, "P-256"):
            jwk = elliptic(whole[1 : 1 + half], whole[1 + half :], crv)
            yield Bad(f"{curve.name} as {crv}", None, None, (jwk,))
    for bits in (1024, 2048):
        numbers = rsa.generate_private_key(65537, bits).public_key()
        n = numbers.public_numbers().n.to_bytes(bits // 8, "big")
        der = numbers.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        jwk = {"kty": "RSA", "n": base64url_encode(n), "e": "AQAB"}
        yield Bad(f"RSA {bits}", _RSA + der, None, (jwk, {**jwk, "crv": "P-256"}))
    agreement = x25519.X25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    raw = agreement.public_bytes_raw()
    yield Bad("X25519", _X25519 + raw, None, (okp(raw, "X25519"),))
    raw = x448.X448PrivateKey.from_private_bytes(bytes(range(56))).public_key().public_bytes_raw()
    yield Bad("X448", None, None, (okp(raw, "X448"),))
    yield Bad("Ed448", _ED448 + bytes(57), None, (okp(bytes(57), "Ed448"),))
    generator = bytes.fromhex(
        "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    )
    yield Bad("BLS12-381 G2", _BLS_G2 + generator, None, (okp(generator, "BLS12381G2"),))
    yield Bad("BLS12-381 G1", _BLS_G1 + bytes(48), None, (okp(bytes(48), "BLS12381G1"),))


def _odd_jwks() -> Iterator[Bad]:
    good = _point(ec.SECP256R1(), PublicFormat.UncompressedPoint)
    x, y = good[1:33], good[33:]
    fine = elliptic(x, y, "P-256")
    for name, jwk in {
        "symmetric": {"kty": "oct", "k": base64url_encode(bytes(32))},
        "private": {**fine, "d": base64url_encode(bytes(31) + b"\1")},
        "private Ed25519": {**okp(x), "d": base64url_encode(x)},
        "without y": {name: value for name, value in fine.items() if name != "y"},
        "without crv": {name: value for name, value in fine.items() if name != "crv"},
        "without kty": {name: value for name, value in fine.items() if name != "kty"},
        "EC called OKP": {**fine, "kty": "OKP"},
        "padded": {**fine, "x": fine["x"] + "="},
        "in base64": {**fine, "x": "+/" + fine["x"][2:]},
        "x no text": {**fine, "x": 7},
        "x a list": {**fine, "x": [fine["x"]]},
        "x with a blank": {**fine, "x": fine["x"][:-1] + " "},
        "crv no text": {**fine, "crv": ["P-256"]},
        "crv in other letters": {**fine, "crv": "p-256"},
        "no object": [fine],
        "a text": "P-256",
        "nothing": None,
    }.items():
        yield Bad(f"JWK, {name}", None, None, (jwk,))


KEYS = (*_ed25519_keys(), *_nist_keys(), *_foreign_keys(), *_odd_jwks())
