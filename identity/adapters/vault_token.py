"""Vault keys in a PKCS#11 token: key-encryption keys and index keys never leave it.

Every key is made in the token, sensitive and not extractable, so a thief of this machine's disks
has no key, and a thief in this process can ask the token only for as long as he stays. Which key is
current is in the label: the highest number of its use. There is no fallback: a token that is gone,
slow, full or locked is `KeysUnavailable`, and the vault answers 503.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass

from identity.vault.ports import KeysUnavailable, VaultRowNotOpened
from identity.vault.records import BlindIndex, WrappedKey
from registry.core.refusals import Conflict, Malformed

CALL_SECONDS = 5.0  # a token that takes longer is as good as gone
SESSIONS = 4  # tokens have few; a caller beyond them waits, at most as long as a call
_LABEL = re.compile(r"cairn-(kek|index)-(\d{6})-([0-9a-f]{12})")
_USES = {"kek": "wrap", "index": "index"}
_T = TypeVar("_T")
# What a token says of bytes that are not what it made; everything else is trouble of its own.
_ALTERED = (
    pkcs11.exceptions.EncryptedDataInvalid,
    pkcs11.exceptions.EncryptedDataLenRange,
    pkcs11.exceptions.GeneralError,  # SoftHSM, for a tag that does not fit
    pkcs11.exceptions.ArgumentsBad,
)
_PIN_TROUBLE = (
    pkcs11.exceptions.PinIncorrect,
    pkcs11.exceptions.PinLenRange,
    pkcs11.exceptions.PinLocked,
    pkcs11.exceptions.PinExpired,
)


@dataclass(frozen=True, slots=True)
class _Held:
    """A key of the token, as one session sees it."""

    use: str
    number: int
    key_id: str
    key: Any


@dataclass(slots=True)
class _Session:
    """An open session with the keys it found."""

    session: Any
    keys: Mapping[str, _Held]

    def newest(self, use: str) -> _Held:
        found = [held for held in self.keys.values() if held.use == use]
        if not found:
            raise KeysUnavailable("the token holds no keys of the vault")
        return max(found, key=lambda held: held.number)

    def of_use(self, use: str) -> list[_Held]:
        found = [held for held in self.keys.values() if held.use == use]
        return sorted(found, key=lambda held: -held.number)


class TokenVaultKeys:
    """Keeps the promises of `VaultKeyring` with keys in a PKCS#11 token."""

    def __init__(
        self,
        *,
        module: Path,
        token_label: str,
        pin: Callable[[], str],
        random: Callable[[int], bytes],
        call_seconds: float = CALL_SECONDS,
        sessions: int = SESSIONS,
        open_library: Callable[[str], Any] = pkcs11.lib,
    ) -> None:
        """Open the token; keys are made in it by `create_keys` and by rotations.

        Args:
            module: the token's PKCS#11 library.
            token_label: which token.
            pin: the user PIN; asked for at each login, never kept.
            random: source of random bytes, for nonces and names.
            call_seconds: how long the token may take for one answer.
            sessions: how many are open at most.
            open_library: loads `module`.
        """
        self._module = str(module)
        self._label = token_label
        self._pin = pin
        self._random = random
        self._seconds = call_seconds
        self._open_library = open_library
        self._pool = ThreadPoolExecutor(sessions, thread_name_prefix="vault-token")
        self._slots = threading.BoundedSemaphore(sessions)
        self._free: list[_Session] = []
        self._lock = threading.Lock()
        self._generation = 0
        self._refused: str | None = None  # a wrong PIN is not tried again: tokens lock themselves

    def __repr__(self) -> str:
        return f"TokenVaultKeys({self._label!r})"

    def close(self) -> None:
        """Let go of the token; calls that hang are left to themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._drop_sessions()

    def create_keys(self) -> None:
        """Make the first keys, where the token has none of ours.

        Raises:
            KeysUnavailable: the token cannot be reached.
        """
        if not self._asked(lambda s: list(s.keys)):
            self.add_wrapping_key()
            self.add_index_key()

    def wrap(self, data_key: bytes, *, context: bytes) -> WrappedKey:
        """As `VaultKeys.wrap`: AES-256-GCM in the token, a random nonce before the box."""
        if len(data_key) != 32:
            raise Malformed("data key is not 32 bytes long")
        nonce = self._random(12)

        def work(session: _Session) -> WrappedKey:
            held = session.newest("kek")
            box = held.key.encrypt(
                data_key, mechanism=Mechanism.AES_GCM, mechanism_param=_gcm(nonce, context)
            )
            return WrappedKey(key_id=held.key_id, data=nonce + bytes(box))

        return self._asked(work)

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        """As `VaultKeys.unwrap`."""
        nonce, box = wrapped.data[:12], wrapped.data[12:]
        if len(nonce) != 12 or len(box) != 48:
            raise VaultRowNotOpened("the sealed record does not open")

        def work(session: _Session) -> bytes:
            held = session.keys.get(wrapped.key_id)
            if held is None or held.use != "kek":
                raise VaultRowNotOpened("the sealed record was sealed with a key that is not here")
            try:
                opened = held.key.decrypt(
                    box, mechanism=Mechanism.AES_GCM, mechanism_param=_gcm(nonce, context)
                )
            except _ALTERED as error:
                # Is it the bytes, or the token? One that still computes an index is well.
                session.newest("index").key.sign(b"well?", mechanism=Mechanism.SHA256_HMAC)
                raise VaultRowNotOpened("the sealed record does not open") from error
            return bytes(opened)

        return self._asked(work)

    def blind_indices(self, identifier: bytes) -> tuple[BlindIndex, ...]:
        """As `VaultKeys.blind_indices`: HMAC-SHA-256 in the token, under keys nobody can copy."""

        def work(session: _Session) -> tuple[BlindIndex, ...]:
            found = session.of_use("index")
            if not found:
                raise KeysUnavailable("the token holds no index key of the vault")
            return tuple(
                BlindIndex(
                    key_id=held.key_id,
                    digest=bytes(held.key.sign(identifier, mechanism=Mechanism.SHA256_HMAC)),
                )
                for held in found
            )

        return self._asked(work)

    def reload(self) -> None:
        """As `VaultKeys.reload`: every session looks for its keys again."""
        self._drop_sessions()
        self._asked(lambda _session: None)

    def wrapping_keys(self) -> tuple[str, ...]:
        """As `VaultKeyring.wrapping_keys`."""
        return self._asked(lambda s: tuple(held.key_id for held in s.of_use("kek")))

    def index_keys(self) -> tuple[str, ...]:
        """As `VaultKeyring.index_keys`."""
        return self._asked(lambda s: tuple(held.key_id for held in s.of_use("index")))

    def add_wrapping_key(self) -> str:
        """As `VaultKeyring.add_wrapping_key`."""
        return self._made("kek")

    def add_index_key(self) -> str:
        """As `VaultKeyring.add_index_key`."""
        return self._made("index")

    def destroy(self, key_id: str) -> None:
        """As `VaultKeyring.destroy`: the token deletes the object, and nobody has a copy."""

        def work(session: _Session) -> None:
            held = session.keys.get(key_id)
            if held is None:
                return
            if len(session.of_use(held.use)) == 1 or (
                held.use == "kek" and session.newest("kek").key_id == key_id
            ):
                raise Conflict("the last index key and the current key stay")
            held.key.destroy()

        self._asked(work)
        self._drop_sessions()

    def _made(self, use: str) -> str:
        name = self._random(6).hex()

        def work(session: _Session) -> str:
            number = max((held.number for held in session.of_use(use)), default=0) + 1
            label = f"cairn-{use}-{number:06}-{name}"
            rules = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
            if use == "kek":
                session.session.generate_key(
                    KeyType.AES,
                    256,
                    label=label,
                    store=True,
                    template={**rules, Attribute.ENCRYPT: True, Attribute.DECRYPT: True},
                )
            else:
                session.session.generate_key(
                    KeyType.GENERIC_SECRET,
                    256,
                    label=label,
                    store=True,
                    mechanism=Mechanism.GENERIC_SECRET_KEY_GEN,
                    template={**rules, Attribute.SIGN: True, Attribute.VERIFY: True},
                )
            return label

        made = self._asked(work)
        self._drop_sessions()
        return made

    def _asked(self, work: Callable[[_Session], _T]) -> _T:
        """Do `work` with a session, in time.

        The library blocks for as long as the token pleases, so it runs on threads of its own. A
        call that takes too long keeps its thread; when all are taken, nobody waits for long.
        """
        if self._refused is not None:
            raise KeysUnavailable(self._refused)
        if not self._slots.acquire(timeout=self._seconds):
            raise KeysUnavailable("the token of the vault is busy")
        try:
            future = self._pool.submit(self._worked, work)
        except RuntimeError as error:
            self._slots.release()
            raise KeysUnavailable("the token of the vault was let go") from error
        future.add_done_callback(lambda _future: self._slots.release())
        try:
            return future.result(timeout=self._seconds)
        except TooSlow as error:
            raise KeysUnavailable("the token of the vault does not answer in time") from error

    def _worked(self, work: Callable[[_Session], _T]) -> _T:
        """Work with a session; an old one may hold keys that another process has destroyed."""
        with self._lock:
            old_ones = bool(self._free)
        try:
            return self._tried(work)
        except KeysUnavailable:
            if self._refused is not None or not old_ones:
                raise
        self._drop_sessions()
        return self._tried(work)

    def _tried(self, work: Callable[[_Session], _T]) -> _T:
        try:
            with self._session() as session:
                return work(session)
        except _PIN_TROUBLE as error:
            self._refused = "the token of the vault refuses the PIN; start again with the right one"
            raise KeysUnavailable(self._refused) from error
        except (pkcs11.exceptions.PKCS11Error, OSError, RuntimeError) as error:
            raise KeysUnavailable("the token of the vault cannot be used now") from error

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        with self._lock:
            generation = self._generation
            session = self._free.pop() if self._free else None
        if session is None:
            session = self._opened()
        try:
            yield session
        except (VaultRowNotOpened, Conflict):
            self._give_back(session, generation)
            raise
        except BaseException:  # trouble with the token: the next caller opens another session
            _closed(session)
            raise
        self._give_back(session, generation)

    def _give_back(self, session: _Session, generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._free.append(session)
                return
        _closed(session)

    def _opened(self) -> _Session:
        token = self._open_library(self._module).get_token(token_label=self._label)
        try:
            opened = token.open(rw=True, user_pin=self._pin())
        except pkcs11.exceptions.UserAlreadyLoggedIn:  # a login holds for the whole process
            opened = token.open(rw=True)
        keys = {}
        for key in opened.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}):
            match = _LABEL.fullmatch(key.label or "")
            if match is None:
                continue
            if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
                raise KeysUnavailable("a key of the vault in the token could be copied out of it")
            keys[key.label] = _Held(match[1], int(match[2]), key.label, key)
        return _Session(opened, keys)

    def _drop_sessions(self) -> None:
        with self._lock:
            self._generation += 1
            old, self._free = self._free, []
        for session in old:
            _closed(session)


def _gcm(nonce: bytes, context: bytes) -> GCMParams:
    return GCMParams(nonce=nonce, aad=context, tag_bits=128)


def _closed(session: _Session) -> None:
    try:
        session.session.close()
    except (pkcs11.exceptions.PKCS11Error, RuntimeError):
        return  # it is gone already
