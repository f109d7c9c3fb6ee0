"""What every vault store and every key provider promises, and with them the vault."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identity.adapters.row_secrets import SqliteRowSecrets
from identity.adapters.vault_keys import FileVaultKeys
from identity.adapters.vault_store import SqlVaultStore
from identity.vault.needs import RowSecrets, VaultKeyring, VaultStore
from identity.vault.ports import (
    IdentifierTaken,
    IndexKeyChanged,
    NothingSealed,
    Registration,
    VaultNotAudited,
    VaultRowChanged,
    VaultRowNotOpened,
    remains_of,
)
from identity.vault.records import BlindIndex
from identity.vault.service import SealedVault
from registry.core.refusals import Conflict, Malformed
from tests.identity.vault.parts import (
    NOW,
    MemoryRowSecrets,
    MemorySink,
    MemoryVaultKeys,
    MemoryVaultStore,
    vault_engine,
    vault_engine_at,
)
from tests.softhsm import this_process_token

DATA = b'{"family_name":"canary"}'


# Each kind of part at least once, with the others that it meets in an installation.
KINDS = {
    "memory": ("memory", "memory", "memory"),
    "demonstration": ("sqlite", "sqlite", "file"),
    "production": ("postgresql", "sqlite", "token"),
}


@pytest.fixture(scope="module", params=KINDS)
def kinds(request: pytest.FixtureRequest) -> tuple[str, str, str]:
    return KINDS[request.param]


@pytest.fixture
def store(
    kinds: tuple[str, str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> VaultStore:
    if kinds[0] == "memory":
        return MemoryVaultStore()
    if kinds[0] == "sqlite":
        return SqlVaultStore(vault_engine(tmp_path / "vault.db"))
    return SqlVaultStore(vault_engine_at(request.getfixturevalue("postgresql").new_database()))


@pytest.fixture
def row_secrets(kinds: tuple[str, str, str], tmp_path: Path) -> RowSecrets:
    if kinds[1] == "memory":
        return MemoryRowSecrets()
    return SqliteRowSecrets(tmp_path / "secrets" / "rows.db")


# Opening a key file is slow on purpose, and a token is one for the process: once for all tests.
@pytest.fixture(scope="module")
def keys(
    kinds: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VaultKeyring]:
    if kinds[2] == "memory":
        yield MemoryVaultKeys()
    elif kinds[2] == "file":
        yield FileVaultKeys.create(
            tmp_path_factory.mktemp("keys") / "vault.keys",
            passphrase="correct horse battery",
            random=secrets.token_bytes,
        )
    else:
        token = this_process_token().emptied().keys()
        token.create_keys()
        yield token
        token.close()


@pytest.fixture
def sinks() -> list[MemorySink]:
    return [MemorySink(), MemorySink()]


@pytest.fixture
def vault(
    store: VaultStore, keys: VaultKeyring, row_secrets: RowSecrets, sinks: list[MemorySink]
) -> SealedVault:
    return made(store, keys, row_secrets, sinks)


def made(
    store: object, keys: object, row_secrets: object, sinks: Sequence[MemorySink]
) -> SealedVault:
    return SealedVault(
        store=store,  # type: ignore[arg-type]
        keys=keys,  # type: ignore[arg-type]
        secrets=row_secrets,  # type: ignore[arg-type]
        audit=sinks,
        random=secrets.token_bytes,
        now=lambda: NOW,
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
    store: VaultStore, keys: VaultKeyring, sinks: list[MemorySink], broken: int
):
    reads: list[str] = []

    class Watched:
        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            if name == "read":
                reads.append(name)
            return getattr(store, name)

    vault = made(Watched(), keys, MemoryRowSecrets(), sinks)
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


def test_one_sink_is_not_enough(store: VaultStore, keys: VaultKeyring):
    with pytest.raises(Malformed):
        made(store, keys, MemoryRowSecrets(), [MemorySink()])


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
        store.add(replace(row, ref="vlt_" + "B" * 22), indices=[stranger])
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
    store: VaultStore, keys: VaultKeyring, sinks: list[MemorySink]
):
    class Late:
        def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
            return (lambda _row, **_more: False) if name == "replace" else getattr(store, name)

    vault = made(Late(), keys, MemoryRowSecrets(), sinks)
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
    keys: VaultKeyring, sinks: list[MemorySink], change: dict[str, object]
):
    store = MemoryVaultStore()
    vault = made(store, keys, MemoryRowSecrets(), sinks)
    ref = vault.seal(owner="a", kind="b", data=DATA)
    row = store.rows[ref]
    assert row
    store.rows[ref] = replace(row, **change)  # type: ignore[arg-type]

    with pytest.raises(VaultRowNotOpened):
        vault.open(ref, purpose="p", actor="a")
    store.rows[ref] = row
    assert vault.open(ref, purpose="p", actor="a") == DATA


def test_rows_and_keys_cannot_be_swapped(keys: VaultKeyring, sinks: list[MemorySink]):
    store = MemoryVaultStore()
    vault = made(store, keys, MemoryRowSecrets(), sinks)
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


def test_keys_bind_the_context_and_name_themselves(keys: VaultKeyring):
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


def test_a_blind_index_is_stable_and_keyed(keys: VaultKeyring):
    (index,) = keys.blind_indices(b"1")
    assert (index,) == keys.blind_indices(b"1")
    assert index.digest != keys.blind_indices(b"2")[0].digest
    assert MemoryVaultKeys().blind_indices(b"1")[0].digest != index.digest
    assert len(index.digest) == 32


def test_keys_are_added_used_newest_first_and_destroyed(keys: VaultKeyring):
    old_kek, old_index = keys.wrapping_keys()[0], keys.index_keys()[0]
    wrapped, index = keys.wrap(bytes(32), context=b"c"), keys.blind_indices(b"1")[0]

    kek, index_key = keys.add_wrapping_key(), keys.add_index_key()

    assert keys.wrapping_keys()[:2] == (kek, old_kek)
    assert keys.index_keys() == (index_key, old_index)
    assert keys.wrap(bytes(32), context=b"c").key_id == kek
    assert keys.unwrap(wrapped, context=b"c") == bytes(32)
    assert keys.blind_indices(b"1")[1] == index
    with pytest.raises(Conflict):
        keys.destroy(kek)  # it is in use
    keys.destroy(old_kek)
    keys.destroy(old_kek)  # safe to repeat
    keys.destroy(old_index)
    with pytest.raises(Conflict):
        keys.destroy(index_key)
    keys.reload()
    assert (keys.wrapping_keys(), keys.index_keys()) == ((kek,), (index_key,))
    with pytest.raises(VaultRowNotOpened):
        keys.unwrap(wrapped, context=b"c")
    assert index not in keys.blind_indices(b"1")


def test_who_looks_like_somebody_is_not_registered_before_people_decide(vault: SealedVault):
    def register(identifier: bytes, **more: Any) -> Registration:
        return vault.seal_once(
            identifier=identifier, owner="r", kind="p", data=DATA, likeness=[b"lin|1991"], **more
        )

    first = register(b"cn|1")
    held = register(b"pass|7")
    again = register(b"cn|1")

    assert (first.new, first.similar) == (True, ())
    assert (held.ref, held.new, held.similar) == ("", False, (first.ref,))
    assert (again.ref, again.new) == (first.ref, False)
    assert vault.find(b"pass|7") is None
    other = register(b"pass|7", distinct_from=[first.ref])
    assert other.new
    assert register(b"id|9", distinct_from=[first.ref]).similar == (other.ref,)
    assert not vault.seal_once(
        identifier=b"lin|1991", owner="r", kind="p", data=DATA
    ).similar  # an identifier of the same bytes is no likeness


def test_a_further_identifier_leads_to_the_same_row(vault: SealedVault):
    ref = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=DATA).ref
    other = vault.seal_once(identifier=b"cn|2", owner="r", kind="p", data=DATA).ref
    vault.attach(ref, identifier=b"pass|7")
    vault.attach(ref, identifier=b"pass|7")

    assert vault.find(b"pass|7") == vault.find(b"cn|1") == ref
    assert vault.open(ref, purpose="p", actor="a") == DATA
    with pytest.raises(IdentifierTaken):
        vault.attach(ref, identifier=b"cn|2")
    assert vault.find(b"cn|2") == other
    vault.replace(ref, data=b"newer")
    assert vault.find(b"pass|7") == ref
    assert not vault.seal_once(identifier=b"pass|7", owner="r", kind="p", data=DATA).new


def test_merged_rows_are_one_and_the_other_is_forgotten(vault: SealedVault):
    kept = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"kept").ref
    lost = vault.seal_once(identifier=b"cn|2", owner="r", kind="p", data=b"lost").ref
    vault.attach(lost, identifier=b"pass|7")

    vault.merge(lost, into=kept)
    vault.merge(lost, into=kept)  # safe to repeat

    assert {vault.find(name) for name in (b"cn|1", b"cn|2", b"pass|7")} == {kept}
    assert vault.open(kept, purpose="p", actor="a") == b"kept"
    with pytest.raises(NothingSealed):
        vault.open(lost, purpose="p", actor="a")
    with pytest.raises(Malformed):
        vault.merge(kept, into=kept)


def test_a_merger_can_be_undone_until_its_remains_are_forgotten(vault: SealedVault):
    like = [b"anna|1990"]
    kept = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=b"kept").ref
    lost = vault.seal_once(identifier=b"cn|2", owner="r", kind="p", data=b"lost", likeness=like).ref
    vault.attach(lost, identifier=b"pass|7")
    vault.merge(lost, into=kept)

    back = vault.separate(lost, merged_into=kept)

    assert vault.separate(lost, merged_into=kept) == back  # safe to repeat
    assert back not in (lost, kept)
    assert vault.find(b"cn|1") == kept
    assert vault.find(b"cn|2") == vault.find(b"pass|7") == back
    assert vault.open(back, purpose="p", actor="a") == b"lost"
    assert vault.open(kept, purpose="p", actor="a") == b"kept"
    alike = vault.seal_once(identifier=b"cn|3", owner="r", kind="p", data=b"x", likeness=like)
    assert alike.similar == (back,)
    remains = vault.find(remains_of(lost))
    assert remains is not None
    vault.forget(remains)
    with pytest.raises(NothingSealed):
        vault.separate(lost, merged_into=kept)


def test_who_was_taken_out_of_the_middle_of_a_chain_keeps_her_numbers(vault: SealedVault):
    first, second, third = (
        vault.seal_once(identifier=b"cn|%d" % n, owner="r", kind="p", data=b"%d" % n).ref
        for n in (1, 2, 3)
    )
    vault.merge(first, into=second)
    vault.merge(second, into=third)

    first_back = vault.separate(first, merged_into=third)
    second_back = vault.separate(second, merged_into=third)  # what is kept of it has both numbers

    assert vault.separate(second, merged_into=third) == second_back  # safe to repeat
    assert [vault.find(b"cn|%d" % n) for n in (1, 2, 3)] == [first_back, second_back, third]
    assert vault.open(first_back, purpose="p", actor="a") == b"1"
    assert vault.open(second_back, purpose="p", actor="a") == b"2"


@pytest.mark.parametrize("call", ["replace", "attach", "merge"])
def test_what_opens_a_row_to_change_it_is_on_record_first(
    vault: SealedVault, sinks: list[MemorySink], call: str
):
    ref = vault.seal_once(identifier=b"cn|1", owner="r", kind="p", data=DATA).ref
    other = vault.seal_once(identifier=b"cn|2", owner="r", kind="p", data=DATA).ref

    def act() -> None:
        if call == "replace":
            vault.replace(ref, data=b"x")
        elif call == "attach":
            vault.attach(ref, identifier=b"pass|7")
        else:
            vault.merge(other, into=ref)

    sinks[1].failing = True
    with pytest.raises(VaultNotAudited):
        act()
    assert vault.find(b"pass|7") is None
    assert vault.find(b"cn|2") == other
    sinks[1].failing = False
    act()
    assert {entry.action for entry in sinks[1].records} == {call}


def test_a_row_opens_with_its_own_secret_alone(
    store: VaultStore, keys: VaultKeyring, row_secrets: RowSecrets, sinks: list[MemorySink]
):
    vault = made(store, keys, row_secrets, sinks)
    ref, other = (vault.seal(owner="a", kind="b", data=DATA) for _ in range(2))
    vault.replace(ref, data=b"newer")

    assert row_secrets.read(ref, 1) is None  # the version before opens for nobody
    assert row_secrets.read(ref, 2) != row_secrets.read(other, 1)
    row_secrets.destroy(ref)
    with pytest.raises(VaultRowNotOpened):
        vault.open(ref, purpose="p", actor="a")
    assert vault.open(other, purpose="p", actor="a") == DATA
    state = row_secrets.state(ref)
    assert state
    assert state.destroyed
    assert not state.settled


def test_secrets_are_settled_dropped_and_listed(row_secrets: RowSecrets):
    row_secrets.put("vlt_a", 1, b"one")
    row_secrets.put("vlt_b", 1, b"two")
    row_secrets.settle("vlt_b", 1)
    row_secrets.drop("vlt_b", 1)  # settled: it stays
    row_secrets.put("vlt_b", 2, b"three")
    row_secrets.put("vlt_c", 1, b"four")
    row_secrets.drop("vlt_c", 1)

    first, second = row_secrets.states(after="", limit=9)
    assert (first.ref, first.settled, first.pending) == ("vlt_a", 0, (1,))
    assert (second.ref, second.settled, second.pending) == ("vlt_b", 1, (2,))
    assert row_secrets.states(after="vlt_a", limit=1) == [second]
    assert [row_secrets.read("vlt_b", version) for version in (1, 2, 3)] == [b"two", b"three", None]
    row_secrets.settle("vlt_b", 2)
    assert row_secrets.read("vlt_b", 1) is None
    assert row_secrets.state("vlt_d") is None
