"""What every vault store and every key provider promises, and with them the vault."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_store import SqlVaultStore
from identity.vault.ports import (
    BlindIndex,
    IndexKeyChanged,
    NothingSealed,
    VaultKeys,
    VaultNotAudited,
    VaultRowChanged,
    VaultRowNotOpened,
    VaultStore,
)
from identity.vault.service import SealedVault
from registry.core.refusals import Malformed
from tests.identity.vault.parts import (
    NOW,
    MemorySink,
    MemoryVaultKeys,
    MemoryVaultStore,
    vault_engine,
    vault_engine_at,
)

DATA = b'{"family_name":"canary"}'


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> VaultStore:
    if request.param == "memory":
        return MemoryVaultStore()
    if request.param == "sqlite":
        return SqlVaultStore(vault_engine(tmp_path / "vault.db"))
    return SqlVaultStore(vault_engine_at(request.getfixturevalue("postgresql").new_database()))


@pytest.fixture(scope="module", params=["memory", "file"])  # opening a key file is slow on purpose
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VaultKeys:
    if request.param == "memory":
        return MemoryVaultKeys()
    return FileVaultKeys.create(
        tmp_path_factory.mktemp("keys") / "vault.keys",
        passphrase="correct horse battery",
        random=secrets.token_bytes,
    )


@pytest.fixture
def sinks() -> list[MemorySink]:
    return [MemorySink(), MemorySink()]


@pytest.fixture
def vault(store: VaultStore, keys: VaultKeys, sinks: list[MemorySink]) -> SealedVault:
    return SealedVault(
        store=store, keys=keys, audit=sinks, random=secrets.token_bytes, now=lambda: NOW
    )


def test_there_and_back(vault: SealedVault):
    ref = vault.seal(owner="university", kind="pending", data=DATA)

    assert vault.open(ref, purpose="issue", actor="issuer:university") == DATA
    assert ref.startswith("vlt_")


def test_equal_data_looks_different_each_time(vault: SealedVault, store: VaultStore):
    rows = [store.read(vault.seal(owner="a", kind="b", data=DATA)) for _ in range(2)]

    assert rows[0]
    assert rows[1]
    assert rows[0].ciphertext != rows[1].ciphertext
    assert rows[0].wrapped_key.data != rows[1].wrapped_key.data
    assert DATA not in rows[0].ciphertext


def test_each_open_is_recorded_in_every_sink_with_codes_alone(
    vault: SealedVault, sinks: list[MemorySink]
):
    ref = vault.seal(owner="a", kind="b", data=DATA)
    vault.open(ref, purpose="issue", actor="issuer:a")

    assert sinks[0].records == sinks[1].records
    (entry,) = sinks[0].records
    assert (entry.action, entry.ref, entry.actor, entry.purpose, entry.time) == (
        "open",
        ref,
        "issuer:a",
        "issue",
        NOW,
    )


@pytest.mark.parametrize("broken", [0, 1])
def test_when_a_sink_fails_nothing_is_read(
    store: VaultStore, keys: VaultKeys, sinks: list[MemorySink], broken: int
):
    reads: list[str] = []

    class Watched:
        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            if name == "read":
                reads.append(name)
            return getattr(store, name)

    vault = SealedVault(
        store=Watched(),  # type: ignore[arg-type]
        keys=keys,
        audit=sinks,
        random=secrets.token_bytes,
        now=lambda: NOW,
    )
    ref = vault.seal(owner="a", kind="b", data=DATA)
    assert vault.open(ref, purpose="p", actor="a") == DATA
    assert reads == ["read"]

    sinks[broken].failing = True
    with pytest.raises(VaultNotAudited):
        vault.open(ref, purpose="p", actor="a")
    with pytest.raises(VaultNotAudited):
        vault.forget(ref)
    assert reads == ["read"]

    sinks[broken].failing = False
    assert vault.open(ref, purpose="p", actor="a") == DATA


def test_one_sink_is_not_enough(store: VaultStore, keys: VaultKeys):
    with pytest.raises(Malformed):
        SealedVault(
            store=store, keys=keys, audit=[MemorySink()], random=secrets.token_bytes, now=int
        )


def test_forgotten_is_gone_and_the_key_destroyed(vault: SealedVault, store: VaultStore):
    kept = vault.seal(owner="a", kind="b", data=DATA)
    ref = vault.seal(owner="a", kind="b", data=DATA)
    vault.forget(ref)
    vault.forget(ref)  # safe to repeat

    with pytest.raises(NothingSealed):
        vault.open(ref, purpose="p", actor="a")
    with pytest.raises(NothingSealed):
        vault.replace(ref, data=DATA)
    assert store.read(ref) is None
    assert vault.open(kept, purpose="p", actor="a") == DATA


@pytest.mark.parametrize("ref", ["", "vlt_", "vlt_" + "A" * 22, "x" * 500, "vlt_" + "é" * 22])
def test_an_unknown_reference_is_not_found(vault: SealedVault, ref: str):
    with pytest.raises(NothingSealed):
        vault.open(ref, purpose="p", actor="a")


def test_an_identifier_has_one_row_until_it_is_forgotten(vault: SealedVault):
    first = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"one")
    again = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"two")
    other = vault.seal_once(identifier=b"cn|2", owner="r", kind="p", data=b"three")

    assert (first.new, again.new, other.new) == (True, False, True)
    assert again.ref == first.ref == vault.find(b"cn|1")
    assert vault.open(first.ref, purpose="p", actor="a") == b"one"

    vault.forget(first.ref)
    assert vault.find(b"cn|1") is None
    assert vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"x").new


def test_with_another_index_key_nobody_registers(vault: SealedVault, store: VaultStore):
    ref = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"one").ref
    row = store.read(ref)
    assert row

    # A restored database beside a key file that was made anew: two registrations of one person.
    stranger = BlindIndex(key_id="index-of-a-new-file", digest=bytes(32))
    with pytest.raises(IndexKeyChanged):
        store.add(replace(row, ref="vlt_" + "B" * 22), index=stranger)
    assert store.read("vlt_" + "B" * 22) is None
    assert not vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"two").new


def test_replacing_seals_a_new_version(vault: SealedVault, store: VaultStore):
    ref = vault.seal(owner="a", kind="b", data=DATA)
    old = store.read(ref)
    vault.replace(ref, data=b"newer")
    new = store.read(ref)

    assert vault.open(ref, purpose="p", actor="a") == b"newer"
    assert old
    assert new
    assert (old.version, new.version) == (1, 2)
    assert old.wrapped_key.data != new.wrapped_key.data


def test_of_two_rival_replacements_one_is_told(vault: SealedVault, store: VaultStore):
    ref = vault.seal(owner="a", kind="b", data=DATA)
    row = store.read(ref)
    assert row
    assert store.replace(replace(row, version=2))
    assert not store.replace(replace(row, version=2))


def test_a_rival_replacement_is_a_conflict(
    store: VaultStore, keys: VaultKeys, sinks: list[MemorySink]
):
    class Late:
        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            return (lambda _row: False) if name == "replace" else getattr(store, name)

    vault = SealedVault(
        store=Late(),  # type: ignore[arg-type]
        keys=keys,
        audit=sinks,
        random=secrets.token_bytes,
        now=lambda: NOW,
    )
    ref = vault.seal(owner="a", kind="b", data=DATA)
    with pytest.raises(VaultRowChanged):
        vault.replace(ref, data=b"x")


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "other"},
        {"kind": "other"},
        {"version": 2},
        {"nonce": bytes(12)},
        {"nonce": b""},
        {"ciphertext": b""},
        {"ciphertext": bytes(64)},
    ],
)
def test_an_altered_row_does_not_open(
    keys: VaultKeys, sinks: list[MemorySink], change: dict[str, object]
):
    store = MemoryVaultStore()
    vault = SealedVault(
        store=store, keys=keys, audit=sinks, random=secrets.token_bytes, now=lambda: NOW
    )
    ref = vault.seal(owner="a", kind="b", data=DATA)
    row = store.rows[ref]
    assert row
    store.rows[ref] = replace(row, **change)  # type: ignore[arg-type]

    with pytest.raises(VaultRowNotOpened):
        vault.open(ref, purpose="p", actor="a")
    store.rows[ref] = row
    assert vault.open(ref, purpose="p", actor="a") == DATA


def test_rows_and_keys_cannot_be_swapped(keys: VaultKeys, sinks: list[MemorySink]):
    store = MemoryVaultStore()
    vault = SealedVault(
        store=store, keys=keys, audit=sinks, random=secrets.token_bytes, now=lambda: NOW
    )
    mine, hers = (vault.seal(owner="a", kind="b", data=data) for data in (b"mine", b"hers"))
    one, two = store.rows[mine], store.rows[hers]
    assert one
    assert two

    # A thief who may write into the database puts another person's row under a name he may open.
    store.rows[mine] = replace(two, ref=mine)
    with pytest.raises(VaultRowNotOpened):
        vault.open(mine, purpose="p", actor="a")
    store.rows[mine] = two
    with pytest.raises(NothingSealed):
        vault.open(mine, purpose="p", actor="a")
    store.rows[mine] = replace(one, wrapped_key=two.wrapped_key)
    with pytest.raises(VaultRowNotOpened):
        vault.open(mine, purpose="p", actor="a")


@pytest.mark.parametrize(
    ("purpose", "actor"),
    [("", "a"), ("p", ""), ("for 林晓雨", "a"), ("p", "Li Na"), ("p", "a\nb"), ("p" * 129, "a")],
)
def test_what_is_no_code_does_not_reach_the_audit(
    vault: SealedVault, sinks: list[MemorySink], purpose: str, actor: str
):
    ref = vault.seal(owner="a", kind="b", data=DATA)

    with pytest.raises(Malformed) as refusal:
        vault.open(ref, purpose=purpose, actor=actor)

    assert not sinks[0].records
    assert "林" not in refusal.value.detail


@pytest.mark.parametrize("data", [b"", bytes((256 << 10) + 1)])
def test_nothing_and_too_much_are_refused(vault: SealedVault, data: bytes):
    with pytest.raises(Malformed):
        vault.seal(owner="a", kind="b", data=data)


def test_keys_bind_the_context_and_name_themselves(keys: VaultKeys):
    wrapped = keys.wrap(bytes(range(32)), context=b"row")

    assert keys.unwrap(wrapped, context=b"row") == bytes(range(32))
    flipped = wrapped.data[:-1] + bytes([wrapped.data[-1] ^ 1])
    for bad, context in (
        (wrapped, b"other row"),
        (replace(wrapped, key_id="kek-unknown"), b"row"),
        (replace(wrapped, data=flipped), b"row"),
        (replace(wrapped, data=b""), b"row"),
    ):
        with pytest.raises(VaultRowNotOpened):
            keys.unwrap(bad, context=context)


def test_a_blind_index_is_stable_and_keyed(keys: VaultKeys):
    assert keys.blind_index(b"1") == keys.blind_index(b"1")
    assert keys.blind_index(b"1") != keys.blind_index(b"2")
    assert MemoryVaultKeys().blind_index(b"1").digest != keys.blind_index(b"1").digest
    assert len(keys.blind_index(b"1").digest) == 32
