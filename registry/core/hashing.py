"""SHA-256, and the labels that keep one kind of hash from being taken for another."""

import hashlib


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`, 32 bytes (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def labelled_hash(label: str, *parts: bytes) -> bytes:
    """SHA-256 over a label and parts, each with its length before it.

    The label says what is hashed, and the lengths keep `("ab", "c")` apart from `("a", "bc")`.
    Layout: for the ASCII label and then each part, an 8-byte big-endian length and the bytes.

    Returns:
        32 bytes.
    """
    hasher = hashlib.sha256()
    for part in (label.encode("ascii"), *parts):
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return hasher.digest()
