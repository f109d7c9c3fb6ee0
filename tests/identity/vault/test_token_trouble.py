"""A token that is gone, slow, locked or full: 503, in time, and never another key instead."""

import secrets
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pkcs11
import pytest

from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_store import SqlVaultStore
from identity.adapters.vault_token import TokenVaultKeys
from identity.vault.ports import KeysUnavailable
from identity.vault.service import SealedVault
from registry.problems import status_of
from tests.identity.vault.parts import NOW, MemorySink, vault_engine
from tests.softhsm import this_process_token

DATA = b"sealed"


class Trouble:
    """SoftHSM's library behind a wrapper that makes trouble when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.error: Exception | None = None
        self.logins = 0
        self.never = Event()

    def library(self, path: str) -> Any:
        return Wrapped(pkcs11.lib(path), self)

    def meet(self) -> None:
        if self.error is not None:
            raise self.error
        if self.seconds:
            self.never.wait(self.seconds)


class Wrapped:
    """Every call meets the trouble first; what it gives back is wrapped as well."""

    def __init__(self, inner: Any, trouble: Trouble) -> None:
        self._inner, self._trouble = inner, trouble

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if not callable(member):
            return member

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open":
                self._trouble.logins += 1
            if name != "close":
                self._trouble.meet()
            found = member(*args, **kwargs)
            if name in ("get_token", "open"):
                return Wrapped(found, self._trouble)
            if name == "get_objects":
                return [Key(key, self._trouble) for key in found]
            return found

        return call


class Key(Wrapped):
    """A key of the token."""

    def __getitem__(self, name: Any) -> Any:
        return self._inner[name]


@pytest.fixture
def trouble() -> Any:
    made = Trouble()
    yield made
    made.never.set()


@pytest.fixture
def keys(trouble: Trouble) -> Any:
    token = this_process_token().emptied()
    made = token.keys(open_library=trouble.library, call_seconds=1.0)
    made.create_keys()
    yield made
    made.close()


@pytest.fixture
def vault(keys: TokenVaultKeys, tmp_path: Path) -> SealedVault:
    return SealedVault(
        store=SqlVaultStore(vault_engine(tmp_path / "vault.db")),
        keys=keys,
        secrets=SqliteRowSecrets(tmp_path / "secrets.db"),
        audit=[MemorySink(), MemorySink()],
        random=secrets.token_bytes,
        now=lambda: NOW,
    )


TROUBLES = {
    "gone": pkcs11.exceptions.DeviceRemoved(),
    "device error": pkcs11.exceptions.DeviceError(),
    "no slot": pkcs11.exceptions.SlotIDInvalid(),
    "no token": pkcs11.exceptions.NoSuchToken(),
    "too many sessions": pkcs11.exceptions.SessionCount(),
    "session lost": pkcs11.exceptions.SessionHandleInvalid(),
    "out of memory": pkcs11.exceptions.DeviceMemory(),
    "library": OSError("no such library"),
}


@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_is_503_and_over_when_it_is_over(
    vault: SealedVault, trouble: Trouble, kind: str
) -> None:
    ref = vault.seal_once(identifier=b"cn|1", owner="a", kind="b", data=DATA).ref
    trouble.error = TROUBLES[kind]

    for call in (
        lambda: vault.open(ref, purpose="p", actor="a"),
        lambda: vault.seal(owner="a", kind="b", data=DATA),
        lambda: vault.seal_once(identifier=b"cn|2", owner="a", kind="b", data=DATA),
        lambda: vault.find(b"cn|1"),
    ):
        with pytest.raises(KeysUnavailable) as refusal:
            call()
        assert status_of(refusal.value) == 503

    trouble.error = None
    assert vault.open(ref, purpose="p", actor="a") == DATA
    assert vault.find(b"cn|2") is None  # nothing was half done
    assert vault.find(b"cn|1") == ref


def test_a_slow_token_is_503_in_time_and_does_not_pile_up(
    vault: SealedVault, trouble: Trouble
) -> None:
    ref = vault.seal(owner="a", kind="b", data=DATA)
    trouble.seconds = 2.0
    outcomes: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        with pytest.raises(KeysUnavailable):
            vault.open(ref, purpose="p", actor="a")
        outcomes.append(time.monotonic() - began)

    callers = [Thread(target=ask) for _ in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(outcomes) == 12
    assert max(outcomes) < 6  # a second for a place, a second for the answer, and a loaded machine
    trouble.seconds = 0.0
    trouble.never.set()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert vault.open(ref, purpose="p", actor="a") == DATA
            break
        except KeysUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_wrong_pin_is_tried_once_since_tokens_lock_themselves(
    trouble: Trouble, keys: TokenVaultKeys
) -> None:
    token = this_process_token()
    wrong = token.keys(open_library=trouble.library)
    trouble.error = pkcs11.exceptions.PinIncorrect()
    before = trouble.logins
    for _ in range(5):
        with pytest.raises(KeysUnavailable, match="PIN"):
            wrong.wrap(bytes(32), context=b"c")
    trouble.error = None
    with pytest.raises(KeysUnavailable, match="PIN"):
        wrong.wrap(bytes(32), context=b"c")  # until it is started anew with the right one
    assert trouble.logins <= before + 1
    wrong.close()
    assert keys.wrap(bytes(32), context=b"c")


def test_a_token_without_our_keys_has_no_stand_in(trouble: Trouble) -> None:
    empty = this_process_token().emptied().keys(open_library=trouble.library)
    for call in (
        lambda: empty.wrap(bytes(32), context=b"c"),
        lambda: empty.blind_indices(b"x"),
    ):
        with pytest.raises(KeysUnavailable):
            call()
    empty.close()
