"""A lost phone, and no agency's desk in reach: two of three guardians bring the person back."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from identity.adapters.key_files import key_from_seed
from identity.core import sd_jwt
from identity.core.guardians import ORDER_TYP
from identity.core.jose import sign_compact
from identity.core.key_proof import TYP as KEY_PROOF_TYP
from identity.core.signing import NamedSigner
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType
from registry.core.refusals import Refusal
from tests.scenarios.installation import ROOT, Held, Installation, enrolment, person
from tests.scenarios.showing import show

WHO = 14
WAIT_SECONDS = 3


class Guardian:
    """Somebody with the command line alone."""

    def __init__(self, folder: Path, number: int) -> None:
        self.keys = folder / f"guardian-{number}.keys"
        self.jwk: JsonObject = json.loads(self.run("keygen").stdout)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command, *rest = words
        return subprocess.run(
            [
                *(sys.executable, "-m", "identity.cli", "guardian", command),
                *(*rest, "--keys", str(self.keys)),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "CAIRN_KEYS__PASSPHRASE": "brook stone lantern orchard nine"},
            timeout=60,
            check=False,
        )

    def approve(self, view: JsonObject) -> subprocess.CompletedProcess[str]:
        told = ("--agency", view["agency"], "--arrangement", view["arrangement"])
        return self.run("approve", view["recovery"], *told, "--new-key", view["new_key"])


class Phone:
    """What a wallet sends, with one key."""

    def __init__(self, here: Installation, key: Any) -> None:
        self.here, self.key = here, key
        self.url = f"{here.base}/issuers/civil-registry"

    def post(self, path: str, body: JsonObject) -> Any:
        return self.here.http.post(f"{self.url}{path}", json=body)

    def nonce(self) -> str:
        return str(self.here.call(self.post("/nonce", {}))["c_nonce"])

    def signed(self, typ: str, **claims: Any) -> str:
        said = {"aud": self.url, "nonce": self.nonce(), "iat": int(time.time()), **claims}
        header: JsonObject = {"typ": typ}
        if typ == KEY_PROOF_TYP:
            header["jwk"] = self.key.key.jwk
        return sign_compact(header=header, payload=said, signer=NamedSigner(self.key, "holder"))

    def proof(self) -> str:
        return self.signed(KEY_PROOF_TYP)

    def order(self, text: str, **claims: Any) -> Any:
        order = self.signed(ORDER_TYP, **claims)
        body = {"credential": sd_jwt.present(text, []), "order": order}
        return self.post("/guardians", body)


def told_in_record(held: Held, kind: str = "recovery") -> list[JsonObject]:
    phone, copy = Phone(held.installation, held.copies[0].key), held.copies[0]
    presentation = sd_jwt.add_key_binding(
        sd_jwt.present(copy.text, []),
        signer=NamedSigner(copy.key, "holder"),
        audience=phone.url,
        nonce=phone.nonce(),
        issued_at=int(time.time()),
    )
    answer = held.installation.call(phone.post("/record", {"presentation": presentation}))
    return [entry for entry in answer["entries"] if entry["kind"] == kind]


def notice(held: Held, state: str, kind: str = "recovery") -> None:
    deadline = time.monotonic() + 20
    while not any(entry["state"] == state for entry in told_in_record(held, kind)):
        assert time.monotonic() < deadline, f"her record does not tell that it is {state}"
        time.sleep(0.2)


def test_two_of_three_guardians_recover_somebody_and_she_could_have_stopped_them(
    shared: Installation, tmp_path: Path
) -> None:
    old, twin = shared.issue(person(WHO)), shared.issue(person(WHO + 1))
    guardians = [Guardian(tmp_path, number) for number in range(3)]
    mine = Phone(shared, old.copies[0].key)
    chosen = {"guardians": [one.jwk for one in guardians], "threshold": 2}
    asked = mine.order(old.copies[0].text, act="set", wait_seconds=WAIT_SECONDS, **chosen)
    arrangement = shared.call(asked)["arrangement"]
    notice(old, "set", kind="guardians")
    (told,) = told_in_record(old, "guardians")
    assert (told["guardians"], told["threshold"]) == (3, 2)
    assert told["key"] == old.copies[0].key.key.jwk_thumbprint
    seed = key_from_seed(KeyType.P256, os.urandom(32))
    new = Phone(shared, seed)

    def begin() -> JsonObject:
        body = {"arrangement": arrangement, "key_proof": new.proof()}
        return shared.call(new.post("/guardians/recoveries", body))

    def complete(view: JsonObject) -> Any:
        path = f"/guardians/recoveries/{view['recovery']}/completion"
        return new.post(path, {"key_proof": new.proof()})

    # Somebody tries while she has her phone: it tells her, and she stops it.
    unwanted = begin()
    for one in guardians[:2]:
        assert one.approve(unwanted).returncode == 0
    notice(old, "waiting")
    shared.call(mine.order(old.copies[0].text, act="stop", recovery=unwanted["recovery"]))
    time.sleep(WAIT_SECONDS)
    answer = complete(unwanted)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/recovery-not-ready")
    notice(old, "stopped")
    assert show(shared, old.wallet, old.copies[0]).verified

    # The phone is lost.
    view = begin()
    first = guardians[0].approve(view)
    assert first.stdout.strip() == "1 of 2 approved; open"
    wrong = guardians[1].approve({**view, "new_key": "A" * 43})
    assert (wrong.returncode, "another key" in wrong.stderr) == (2, True)
    assert complete(view).status_code == 409
    assert guardians[2].approve(view).stdout.strip() == "2 of 2 approved; waiting"
    answer = complete(view)
    assert answer.json()["detail"] == "the wait is not over"
    assert show(shared, old.wallet, old.copies[1]).verified
    time.sleep(WAIT_SECONDS)

    done = shared.call(complete(view))
    since = time.monotonic()

    assert done["ended"] == 1
    (offer,) = done["offers"]
    assert offer["credential_type"] == "resident-identity"
    while show(shared, old.wallet, old.copies[2]).verified:
        assert time.monotonic() - since < 60, "an old copy is still good"
        time.sleep(0.2)
    wallet = shared.wallet()
    thief = key_from_seed(KeyType.P256, os.urandom(32))
    for key in (None, thief):
        with pytest.raises(Refusal, match="bound to a"):
            wallet.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"], key=key)
    (again,) = shared.call(complete(view))["offers"]  # as if the first answer had been lost
    with pytest.raises(Refusal):
        wallet.accept_offer(offer["offer_uri"], tx_code=offer["tx_code"], key=seed)
    copies = wallet.accept_offer(again["offer_uri"], tx_code=again["tx_code"], key=seed)
    assert shared.call(complete(view))["offers"] == []
    shared.anchored(wallet, copies[0])
    assert show(shared, wallet, copies[0]).verified
    assert show(shared, twin.wallet, twin.copies[0]).verified  # nobody else is touched
    states = [entry["state"] for entry in told_in_record(Held(shared, wallet, copies, ""))]
    assert states[:3] == ["waiting", "stopped", "waiting"]
    late = mine.order(old.copies[0].text, act="withdraw")
    assert (late.status_code, late.json()["type"]) == (403, "/problems/not-her-order")

    # A new proofing ends guardians too: a thief with her open phone may have chosen them.
    body = {"arrangement": arrangement, "key_proof": new.proof()}
    assert new.post("/guardians/recoveries", body).status_code == 201
    shared.call(shared.post("issuer:civil-registry", "/recoveries", enrolment(person(WHO))))
    body["key_proof"] = new.proof()
    assert new.post("/guardians/recoveries", body).status_code == 404
