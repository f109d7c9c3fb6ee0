"""The vault in a process of its own, keys in a token: what works, and what fails closed."""

import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from identity.adapters.audit_sinks import verify_audit_file
from identity.adapters.database import create_database, transaction
from identity.adapters.remote_vault import RemoteVault, VaultUnreachable, vault_client
from identity.demo.story import Story
from identity.vault.ports import (
    IdentifierTaken,
    IndexKeyChanged,
    KeysUnavailable,
    NothingSealed,
    VaultNotAudited,
)
from registry.core.refusals import Malformed
from tests.canaries import CanaryScan
from tests.scenarios.installation import DEMO, Installation, enrolment, person
from tests.scenarios.vault_apart import VaultNotUp, VaultProcess
from tests.softhsm import new_token

DATA = b'{"a":"sealed thing"}'


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultProcess]:
    folder = tmp_path_factory.mktemp("vault")
    running = VaultProcess(folder, token=new_token(folder / "hsm"))
    running.start()
    yield running
    running.stop()


def test_every_call_and_every_refusal_comes_through(process: VaultProcess) -> None:
    vault = process.vault()
    ref = vault.seal(owner="a", kind="b", data=DATA)
    assert vault.open(ref, purpose="p", actor="issuer:a") == DATA
    first = vault.seal_once(
        identifier=b"cn|1", owner="r", kind="p", data=DATA, likeness=[b"lin|1991"]
    )
    held = vault.seal_once(
        identifier=b"pass|7", owner="r", kind="p", data=DATA, likeness=[b"lin|1991"]
    )
    assert (first.new, held.new, held.similar) == (True, False, (first.ref,))
    other = vault.seal_once(
        identifier=b"pass|7",
        owner="r",
        kind="p",
        data=DATA,
        likeness=[b"lin|1991"],
        distinct_from=[first.ref],
    )
    assert other.new
    vault.attach(first.ref, identifier=b"id|9")
    assert vault.find(b"id|9") == first.ref
    vault.replace(first.ref, data=b"newer", likeness=[b"wang|1991"])
    assert vault.open(first.ref, purpose="p", actor="a") == b"newer"
    with pytest.raises(IdentifierTaken):
        vault.attach(first.ref, identifier=b"pass|7")
    vault.merge(other.ref, into=first.ref)
    assert vault.find(b"pass|7") == first.ref
    vault.forget(ref)
    with pytest.raises(NothingSealed):
        vault.open(ref, purpose="p", actor="a")
    assert vault.find(b"cn|nobody") is None
    with pytest.raises(Malformed):
        vault.open(first.ref, purpose="for 林", actor="a")
    with pytest.raises(Malformed):
        vault.merge(first.ref, into=first.ref)


def test_nobody_gets_in_without_the_key_of_the_service(process: VaultProcess) -> None:
    for key in ("", "x" * 43, process.keys["officer:ada"]):
        vault = RemoteVault(process.client(), access_key=key or "none")
        with pytest.raises(VaultUnreachable):
            vault.find(b"cn|1")
    client = process.client()
    assert client.post("/vault/find", json={"identifier": "AAAA"}).status_code == 403
    assert client.get("/openapi.json").status_code == 404
    assert client.get("/vault").status_code == 404  # nothing lists anything
    with pytest.raises(Malformed):
        vault_client("http://192.0.2.1:80")
    assert process.socket.stat().st_mode & 0o007 == 0


def test_a_look_needs_two_officers_and_happens_once_on_record(process: VaultProcess) -> None:
    ref = process.vault().seal(owner="a", kind="b", data=DATA)
    asked = process.officer("ada", "", ref=ref, reason="court-order-17")
    look = asked.json()["id"]
    assert process.officer("ada", f"/{look}/open").status_code == 409  # nobody agreed
    assert process.officer("ada", f"/{look}/approve").status_code == 403  # she cannot agree alone
    assert process.officer("bob", f"/{look}/approve").status_code == 200
    assert process.officer("eve", f"/{look}/approve").status_code == 409
    for other in ("bob", "eve"):
        assert process.officer(other, f"/{look}/open").status_code == 409  # hers alone
    assert process.officer("ada", f"/{look}/open").status_code == 200
    assert process.officer("ada", f"/{look}/open").status_code == 409  # once
    service = process.client().post(
        "/vault/looks",
        json={"ref": ref, "reason": "x"},
        headers={"Authorization": f"Bearer {process.keys['vault:service']}"},
    )
    assert service.status_code == 403
    lines = (process.data.vault_audit).read_text("utf-8").splitlines()
    assert any('"break-glass"' in line and "officer:ada/officer:bob" in line for line in lines)


def audit_ids(process: VaultProcess) -> tuple[set[str], set[str]]:
    engine = create_database(f"sqlite:///{process.data.vault_database}")
    try:
        with transaction(engine) as session:
            rows = set(session.scalars(text("SELECT id FROM vault_audit")))
    finally:
        engine.dispose()
    return rows, set(verify_audit_file(process.data.vault_audit))


def break_database(process: VaultProcess) -> Callable[[], None]:
    def renamed(old: str, new: str) -> None:
        engine = create_database(f"sqlite:///{process.data.vault_database}")
        with transaction(engine) as session:
            session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        engine.dispose()

    renamed("vault_audit", "vault_audit_away")
    return lambda: renamed("vault_audit_away", "vault_audit")


def break_file(process: VaultProcess) -> Callable[[], None]:
    path = process.data.vault_audit
    kept = path.with_suffix(".kept")
    path.rename(kept)
    path.mkdir()

    def mend() -> None:
        path.rmdir()
        kept.rename(path)

    return mend


@pytest.mark.parametrize("broken", ["database", "file", "both"])
def test_with_a_broken_sink_nothing_is_read_and_nothing_is_answered(
    process: VaultProcess, broken: str
) -> None:
    vault = process.vault()
    ref = vault.seal_once(
        identifier=b"sinks|" + broken.encode(), owner="a", kind="b", data=DATA
    ).ref
    other = vault.seal_once(
        identifier=b"sinks2|" + broken.encode(), owner="a", kind="b", data=DATA
    ).ref
    assert vault.open(ref, purpose="p", actor="a") == DATA  # the twin before
    asked = process.officer("ada", "", ref=ref, reason="court-order").json()["id"]
    assert process.officer("bob", f"/{asked}/approve").status_code == 200
    rows, lines = audit_ids(process)
    before = rows - lines
    mend = []
    if broken in ("database", "both"):
        mend.append(break_database(process))
    if broken in ("file", "both"):
        mend.append(break_file(process))

    try:
        reads: list[Callable[[], object]] = [
            lambda: vault.open(ref, purpose="p", actor="a"),
            lambda: vault.replace(ref, data=b"x"),
            lambda: vault.attach(ref, identifier=b"sinks3"),
            lambda: vault.merge(other, into=ref),
            lambda: vault.forget(ref),
        ]
        for read in reads:
            with pytest.raises(VaultNotAudited):
                read()
        refused = process.officer("ada", f"/{asked}/open")
        assert refused.status_code == 503
        assert b"sealed thing" not in refused.content
        assert process.officer("ada", "", ref=ref, reason="again").status_code == 503
    finally:
        for act in reversed(mend):
            act()
    process.stop()
    process.start()  # a sink that failed stays closed until the restart

    vault = process.vault()
    assert vault.open(ref, purpose="p", actor="a") == DATA  # nothing was changed, the twin after
    assert vault.open(other, purpose="p", actor="a") == DATA
    rows, lines = audit_ids(process)
    # What one sink had before the other failed was never read; every read is in both.
    assert lines - rows == set()
    more = len((rows - lines) - before)
    assert more == (len(reads) + 2 if broken == "file" else 0)


def test_keys_rotate_while_the_process_serves(process: VaultProcess) -> None:
    vault = process.vault()
    refs = [
        vault.seal_once(identifier=b"rot|%d" % number, owner="a", kind="b", data=DATA).ref
        for number in range(5)
    ]
    for command in ("rotate-index", "rotate-keys"):
        done = process.command(command)
        assert done.returncode == 0, done.stderr
        assert "destroyed: 1 keys" in done.stdout
        for number, ref in enumerate(refs):
            again = vault.seal_once(identifier=b"rot|%d" % number, owner="a", kind="b", data=DATA)
            assert (again.ref, again.new) == (ref, False)
            assert vault.open(ref, purpose="p", actor="a") == DATA


def test_a_wrong_pin_and_a_token_that_is_gone_do_not_start(process: VaultProcess) -> None:
    process.stop()
    try:
        process.pin = "000000000000"
        with pytest.raises(VaultNotUp, match="refuses the PIN"):
            process.start()
        assert not (process.data.keys / "vault.keys").exists()  # no fallback to a key file
    finally:
        process.pin = "471108152342"
    assert process.token is not None
    away = process.token.folder / "away"
    (process.token.folder / "tokens").rename(away)
    (process.token.folder / "tokens").mkdir()
    try:
        with pytest.raises(VaultNotUp, match="KeysUnavailable"):
            process.start()
    finally:
        shutil.rmtree(process.token.folder / "tokens")
        away.rename(process.token.folder / "tokens")
    process.start()


def test_a_new_token_beside_an_old_database_registers_nobody(process: VaultProcess) -> None:
    process.vault().seal_once(identifier=b"tok|1", owner="a", kind="b", data=DATA)
    process.stop()
    first, process.token = process.token, new_token(process.folder / secrets.token_hex(4))
    try:
        process.start()
        with pytest.raises((IndexKeyChanged, KeysUnavailable)):
            process.vault().seal_once(identifier=b"tok|1", owner="a", kind="b", data=DATA)
        process.stop()
    finally:
        process.token = first
    process.start()
    assert not process.vault().seal_once(identifier=b"tok|1", owner="a", kind="b", data=DATA).new


def test_the_installation_issues_through_the_vault_apart_and_not_without_it(
    process: VaultProcess,
    make_installation: Callable[..., Installation],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("services")
    key_file = folder / "vault.key"
    key_file.touch(mode=0o600)
    key_file.write_text(process.keys["vault:service"])
    config = folder / "services.toml"
    config.write_text(
        DEMO.read_text("utf-8")
        + f'\n[vault]\naddress = "unix:{process.socket}"\naccess_key_file = "{key_file}"\n'
    )
    city = make_installation(folder / "city", config=config)
    city.start()
    assert len(list(Story(city.stage(person(0))).tell())) == 8
    assert not city.data.vault_database.exists()  # nothing sealed lies with the services
    assert not (city.data.keys / "vault.keys").exists()
    assert not city.data.row_secrets.exists()

    os.kill(process._process.pid, signal.SIGSTOP)  # type: ignore[union-attr]
    try:
        began = time.monotonic()
        answer = city.post("issuer:civil-registry", "/enrolments", enrolment(person(1)))
        assert answer.status_code == 503
        assert time.monotonic() - began < 40
        assert city.http.get(f"{city.base}/registry/head").is_success  # others go on
    finally:
        os.kill(process._process.pid, signal.SIGCONT)  # type: ignore[union-attr]
    assert city.enrol(person(1)).startswith("prs_")
    process.stop()
    assert (
        city.post("issuer:civil-registry", "/enrolments", enrolment(person(3))).status_code == 503
    )
    process.start()
    assert city.enrol(person(3)).startswith("prs_")
    rows, lines = audit_ids(process)
    assert lines <= rows
    assert len(lines) >= 5


def test_a_vault_that_lost_rows_starts_after_two_officers_said_so(process: VaultProcess) -> None:
    process.stop()
    backup = process.folder / "backup.db"
    shutil.copy2(process.data.vault_database, backup)
    secrets_backup = process.folder / "secrets-backup.db"
    shutil.copy2(process.data.row_secrets, secrets_backup)
    process.start()
    lost = process.vault().seal_once(identifier=b"lost|1", owner="a", kind="b", data=DATA)
    process.vault().open(lost.ref, purpose="p", actor="a")
    process.stop()
    shutil.copy2(backup, process.data.vault_database)
    with pytest.raises(VaultNotUp, match="restored backup"):
        process.start()
    assert process.command("check").returncode == 1
    # Its secrets of the same day beside it: the audit file still knows better.
    newest = process.folder / "secrets-newest.db"
    shutil.copy2(process.data.row_secrets, newest)
    shutil.copy2(secrets_backup, process.data.row_secrets)
    with pytest.raises(VaultNotUp, match="audit file tells of"):
        process.start()
    shutil.copy2(newest, process.data.row_secrets)
    keys = {}
    for name in ("ada", "bob"):
        keys[name] = process.folder / f"{name}.key"
        keys[name].write_text(process.keys[f"officer:{name}"])

    def given_up(first: str, second: str) -> int:
        done = process.command(
            "accept-loss", "--first", str(keys[first]), "--second", str(keys[second])
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode

    assert given_up("ada", "ada") == 2
    assert given_up("ada", "bob") == 0
    assert process.command("check").returncode == 0
    rows, lines = audit_ids(process)
    assert lines <= rows
    process.start()
    assert process.vault().seal_once(identifier=b"lost|1", owner="a", kind="b", data=DATA).new


def test_the_log_of_the_vault_tells_calls_and_no_content(process: VaultProcess) -> None:
    log = Path(process.folder / "vault.log").read_text("utf-8")
    assert '"route": "/vault/seal-once"' in log
    assert '"status": 500' not in log
    process.stop()
    scan = CanaryScan(["sealed thing", "lin|1991", "sinks|both", "lost|1"])
    assert scan.scan_paths([process.folder]) >= 12  # both sinks, a backup, the token, every log
    process.start()
