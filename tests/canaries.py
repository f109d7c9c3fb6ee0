"""Looks for personal data where none may be: in any of the forms in which it tends to leak."""

import base64
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

MIN_CANARY_BYTES = 5  # shorter ones would turn up by chance


class CanaryFound(AssertionError):
    """A canary, or a form of it, is where it must not be. Says where and in which form."""


class CanaryScan:
    """Scans bytes for a set of values, each in its plain, encoded and hashed forms.

    Values are distinctive on purpose: an ID number, a full name, an ISO birth date. Give a date as
    `1991-02-03`; its digits without separators are looked for as well.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._forms: dict[bytes, str] = {}
        for value in values:
            if len(value.encode()) < MIN_CANARY_BYTES:
                raise ValueError(f"canary of fewer than {MIN_CANARY_BYTES} bytes")
            for label, form in _forms(value):
                self._forms.setdefault(form.lower(), f"{value!r} as {label}")

    def __len__(self) -> int:
        return len(self._forms)

    def assert_absent(self, data: bytes | str, where: str) -> None:
        """Raise `CanaryFound` when any form is in `data`, as it is or compressed in it."""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        for layer, text in enumerate(_layers(raw)):
            folded = text.lower()
            for form, label in self._forms.items():
                if form in folded:
                    depth = " (compressed)" if layer else ""
                    raise CanaryFound(f"{where}{depth}: found {label}")

    def scan_paths(self, paths: Iterable[Path]) -> int:
        """Scan files, and directories with all that is in them, names included.

        Returns:
            How many files were read, so that a caller can insist on some.
        """
        count = 0
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file():
                    self.assert_absent(str(file.name), f"name of {file}")
                    self.assert_absent(file.read_bytes(), str(file))
                    count += 1
        return count


def _forms(value: str) -> Iterator[tuple[str, bytes]]:
    plain = value.encode()
    spellings = {"plain": plain}
    bare = "".join(char for char in value if char.isalnum())
    if bare != value and len(bare.encode()) >= MIN_CANARY_BYTES:
        spellings["plain without separators"] = bare.encode()
    for label, text in spellings.items():
        yield label, text
        yield f"{label} reversed", text.decode()[::-1].encode()
        yield f"{label} hex", text.hex().encode()
        yield f"{label} UTF-16", text.decode().encode("utf-16-le")
        yield f"{label} URL-encoded", quote(text.decode(), safe="").encode()
        yield f"{label} form-encoded", quote_plus(text.decode()).encode()
        yield f"{label} JSON-escaped", text.decode().encode("unicode-escape")
        for shift in range(3):  # wherever it lies within a longer text
            for name, encode in (
                ("base64", base64.b64encode),
                ("base64url", base64.urlsafe_b64encode),
            ):
                yield f"{label} {name}", _inner_base64(encode, text, shift)
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, text, usedforsecurity=False).digest()
            yield f"{label} {algorithm}", digest
            yield f"{label} {algorithm} hex", digest.hex().encode()
            yield f"{label} {algorithm} base64", base64.b64encode(digest).rstrip(b"=")
            yield f"{label} {algorithm} base64url", base64.urlsafe_b64encode(digest).rstrip(b"=")


def _inner_base64(encode: object, text: bytes, shift: int) -> bytes:
    """The characters that depend on `text` alone when `shift` bytes stand before it."""
    assert callable(encode)
    encoded: bytes = encode(b"\0" * shift + text)
    first = -(-shift * 4 // 3)
    last = (shift + len(text)) * 8 // 6
    return encoded[first:last]


def _layers(data: bytes) -> Iterator[bytes]:
    """The bytes, and what they hold when they are one compressed stream."""
    yield data
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            yield unpack(data)
        except (OSError, EOFError, zlib.error):
            continue
