"""Stop: one command, every instance, at once; two people to go on."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from identity.adapters.issuer_stop_store import NoSuchStop, SqlStopStore
from identity.adapters.key_files import Ed25519FileKey, key_from_seed
from identity.cli.main import app
from identity.core.stopping import (
    EVERYBODY,
    NotAResumer,
    resumption_message,
    verify_resumption,
)
from registry.core.keys import KeyType
from tests.identity.issuer.workbench import BEARER, Workbench

BODY = {"credential_configuration_id": "resident-identity-sd-jwt"}
PASSPHRASE = "correct horse battery staple"


def ask(bench: Workbench, token: str) -> Any:
    return bench.request(token, {**BODY, "proofs": {"jwt": [bench.proof(bench.key())]}})


@pytest.mark.parametrize("scope", ["registrar", EVERYBODY])
def test_a_stop_holds_at_every_instance_from_the_next_delivery_on(
    tmp_path: Path, scope: str
) -> None:
    one = Workbench(tmp_path)
    other = Workbench(tmp_path, registry=one.registry, clock=one.clock, seed=b"other")
    token = one.token(one.offer())
    assert one.worker.run_once(one.clock()) is None

    SqlStopStore(one.engine).begin("stop", scope, reason="incident", now=1)

    for bench in (one, other):
        answer = ask(bench, token)
        assert answer.status_code == 503
        assert answer.json()["error"] == "temporarily_unavailable"
        issued = bench.http.post(
            f"{bench.issuer}/credentials/issue", headers=BEARER, json={"credential": {}}
        )
        assert issued.status_code >= 400
    with one.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM issuer_copies").scalar() == 0


def test_another_agency_goes_on_and_so_do_revoking_and_anchoring(bench: Workbench) -> None:
    token = bench.token(bench.offer())
    bench.receive(token)
    offer = bench.offer()
    store = SqlStopStore(bench.engine)
    store.begin("other", "university", reason="incident", now=1)
    bench.receive(bench.token(offer))  # a stop of somebody else
    store.begin("stop", "registrar", reason="incident", now=2)

    bench.worker.run_once(bench.clock())
    revoked = bench.http.post(
        f"{bench.issuer}/issuances/{offer['credential_id']}/status",
        headers=BEARER,
        json={"status": "revoked"},
    )

    assert revoked.status_code == 200
    assert bench.parts.batches.open_batches("registrar") == []


def test_two_people_resume_and_one_of_them_twice_does_not(bench: Workbench) -> None:
    store = SqlStopStore(bench.engine)
    store.begin("stop", "registrar", reason="incident", now=1)
    assert store.begin("again", "registrar", reason="incident", now=2) == "stop"
    token = bench.token(bench.offer())

    assert not store.resume("stop", "ann", now=3)
    assert not store.resume("stop", "ann", now=4)
    assert ask(bench, token).status_code == 503
    assert [item.resumed_by for item in store.holding()] == [1]
    assert store.resume("stop", "bob", now=5)

    assert ask(bench, token).status_code == 200
    assert store.holding() == []
    with pytest.raises(NoSuchStop):
        store.resume("stop", "cat", now=6)


def test_a_resumption_is_signed_for_this_stop_by_somebody_named() -> None:
    ann, eve = (key_from_seed(KeyType.ED25519, bytes([n]) * 32) for n in (1, 2))
    assert isinstance(ann, Ed25519FileKey)
    known = {ann.key.multikey: ann.key}
    good = ann.sign(resumption_message("s", "registrar"))
    verify_resumption(
        stop="s", scope="registrar", multikey=ann.key.multikey, signature=good, known=known
    )

    for stop, scope, who, signature in (
        ("t", "registrar", ann, good),
        ("s", "*", ann, good),
        ("s", "registrar", eve, eve.sign(resumption_message("s", "registrar"))),
        ("s", "registrar", ann, b""),
    ):
        with pytest.raises(NotAResumer):
            verify_resumption(
                stop=stop, scope=scope, multikey=who.key.multikey, signature=signature, known=known
            )


class Desk:
    """A folder with settings, and the commands that operators type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "cairn.toml"
        self.write([])

    def write(self, resumers: list[str]) -> None:
        keys = ", ".join(f'"{item}"' for item in resumers)
        self.config.write_text(
            f'[server]\nenvironment = "demonstration"\ndata_dir = "{self.folder}/data"\n'
            f"[issuing]\nresumers = [{keys}]\n"
            '[[agencies]]\nslug = "registrar"\ntypes = ["degree"]\n'
            'name = { en = "R", zh = "R" }\n',
            "utf-8",
        )

    def run(self, *arguments: str) -> str:
        done = CliRunner(env={"CAIRN_KEYS__PASSPHRASE": PASSPHRASE}).invoke(app, [*arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def with_settings(self, *arguments: str) -> str:
        return self.run(*arguments, "--config", str(self.config))


def test_the_commands(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    files = {name: str(tmp_path / f"{name}.keys") for name in ("ann", "bob", "eve")}
    public = {name: desk.run("resumer-key", "--keys", path) for name, path in files.items()}
    desk.write([public["ann"], public["bob"]])
    (tmp_path / "data" / "identity").mkdir(parents=True)

    stop = desk.with_settings("stop-issuing", "--all", "--reason", "key-stolen").split()[0]
    assert desk.with_settings("stops").startswith(f"{stop}  *  key-stolen")
    with pytest.raises(NotAResumer):
        desk.with_settings("resume", stop, "--keys", files["eve"])
    first = desk.with_settings("resume", stop, "--keys", files["ann"])
    again = desk.with_settings("resume", stop, "--keys", files["ann"])
    second = desk.with_settings("resume", stop, "--keys", files["bob"])

    assert first == again == "noted; 1 more person is needed"
    assert second == "issuing goes on"
    assert desk.with_settings("stops") == ""
