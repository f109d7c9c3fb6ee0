"""One-time codes, of which only the digest is kept."""

from registry.core.hashing import labelled_hash


def code_digest(code: str) -> bytes:
    """Digest of a code with 128 random bits; 32 bytes. Whatever text was presented has one."""
    return labelled_hash("cairn/response-code/v1", code.encode("utf-8", "surrogatepass"))
