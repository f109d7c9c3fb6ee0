"""What opens key files: a passphrase, and the keys that Argon2id makes of it."""

from collections.abc import Callable

from argon2.low_level import Type, hash_secret_raw

from registry.core.refusals import NotPermitted

MIN_PASSPHRASE_CHARS = 16  # guessing one costs an attacker an Argon2id run of 64 MiB each
_MEMORY_KIB, _PASSES, _LANES = 64 * 1024, 3, 4  # RFC 9106, second recommended option


class WeakPassphrase(NotPermitted):
    """The passphrase is too short to protect keys."""


class Passphrase:
    """A passphrase of whoever holds keys; it is stretched once a salt, not once a file.

    New files take a salt that was met before. With a salt each, a start stretched the same words
    ten times and took 2.5 s of CPU for it. One salt costs a guesser of the passphrase exactly as
    much: all files of a holder open with the same one, so a hit in any of them is a hit in all.
    Boxes under one key are told apart by random nonces of 96 bits.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._stretched: dict[bytes, bytes] = {}  # key by salt, the first salt first

    def __repr__(self) -> str:
        return "Passphrase(…)"

    @classmethod
    def of(cls, passphrase: "str | Passphrase") -> "Passphrase":
        """The passphrase itself, or one made of text that opens a single file."""
        return cls(passphrase) if isinstance(passphrase, str) else passphrase

    def salt(self, random: Callable[[int], bytes]) -> bytes:
        """16 bytes for a new file."""
        return next((salt for salt in self._stretched if len(salt) == 16), None) or random(16)

    def key(self, salt: bytes) -> bytes:
        """The key of 32 bytes that opens files with this salt.

        Raises:
            WeakPassphrase: the passphrase is too short.
            argon2.exceptions.HashingError: no such salt is possible.
        """
        if len(self._text) < MIN_PASSPHRASE_CHARS:
            raise WeakPassphrase(f"the passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters")
        if salt not in self._stretched:
            self._stretched[salt] = hash_secret_raw(
                self._text.encode("utf-8"), salt, _PASSES, _MEMORY_KIB, _LANES, 32, Type.ID
            )
        return self._stretched[salt]
