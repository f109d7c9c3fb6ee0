"""One changed byte: in what a citizen shows, in the receipt beside it, in a list, in the ledger.

Each is refused or reported under its own name, between two untouched twins that pass.
"""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path

import apsw
import pytest

from identity.core.sd_jwt import parse_sd_jwt
from registry.audit import audit
from registry.core.encoding import JsonObject
from tests.scenarios.installation import ROOT, Held, Installation, person
from tests.scenarios.showing import Shown, show

SEED = 20260717
PLACES = 6  # changed bytes in each part of a presentation
LEDGER_BYTES = 240  # changed bytes of the ledger that hold something


@pytest.fixture(scope="module")
def held(shared: Installation) -> Held:
    return shared.issue(person(6))


def passes(held: Held) -> None:
    """The twin control."""
    seen = show(held.installation, held.wallet, held.copies[0])
    assert seen.verified, seen.failed


def other(char: str, among: str = "AB") -> str:
    return among[0] if char != among[0] else among[1]


def changed(text: str, at: int) -> str:
    return text[:at] + other(text[at]) + text[at + 1 :]


def parts_of(presentation: str) -> dict[str, tuple[int, int]]:
    """Where each part of an SD-JWT with key binding begins and ends."""
    jwt, *disclosures, binding = presentation.split("~")
    header, payload, signature = jwt.split(".")
    assert len(parse_sd_jwt(presentation).disclosures) == len(disclosures) == 1
    lengths = {
        "header": len(header),
        "payload": len(payload),
        "signature": len(signature),
        "disclosure": len(disclosures[0]),
    }
    for name, part in zip(("header", "payload", "signature"), binding.split("."), strict=True):
        lengths[f"binding {name}"] = len(part)
    places, at = {}, 0
    for name, length in lengths.items():
        places[name] = (at, at + length)
        at += length + 1
    return places


@pytest.mark.parametrize(
    ("part", "check"),
    [
        ("header", "proof"),
        ("payload", "proof"),
        ("signature", "proof"),
        ("disclosure", "proof"),
        ("binding header", "holder_binding"),
        ("binding payload", "holder_binding"),
        ("binding signature", "holder_binding"),
    ],
)
def test_in_the_credential(held: Held, part: str, check: str) -> None:
    choose = random.Random(f"{SEED} {part}")
    passes(held)
    for number in range(PLACES):

        def alter(text: str, number: int = number) -> str:
            start, end = parts_of(text)[part]
            # The first and the last character, and some in between.
            places = (start, end - 1)
            at = places[number] if number < len(places) else choose.randrange(start, end)
            return changed(text, at)

        seen = show(held.installation, held.wallet, held.copies[0], alter=alter)
        assert not seen.verified
        assert seen.answer.status_code == 400
        assert seen.first_failed == check, (number, seen.failed, seen.answer.text)
        if check == "holder_binding":  # everything about the credential itself is still fine
            assert set(seen.failed) <= {"holder_binding", "audience", "policy"}
    passes(held)


RECEIPT_MEMBERS = (
    "type",
    "network",
    "digest",
    "index",
    "path",
    "batch",
    "proof",
    "head",
)


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of everything in a JSON value that is not a container."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path


def with_change(receipt: JsonObject, path: tuple[str | int, ...], at: int) -> JsonObject:
    """A copy of a receipt, one character or one number of which is another."""
    copy: JsonObject = deepcopy(receipt)
    holder = copy
    for step in path[:-1]:
        holder = holder[step]  # type: ignore[index]
    value = holder[path[-1]]  # type: ignore[index]
    if isinstance(value, str):
        at %= len(value)
        replaced: object = value[:at] + other(value[at], "aB") + value[at + 1 :]
    else:
        assert isinstance(value, int)
        replaced = value ^ 1
    holder[path[-1]] = replaced  # type: ignore[index]
    return copy


@pytest.mark.parametrize("member", RECEIPT_MEMBERS)
def test_in_the_stapled_receipt(held: Held, member: str) -> None:
    receipt = held.wallet.receipt(held.copies[0])
    assert receipt is not None
    assert set(receipt) == set(RECEIPT_MEMBERS)
    found = [path for path in leaves(receipt) if path[0] == member]
    assert found
    choose = random.Random(f"{SEED} {member}")
    changes = [(path, choose.randrange(1 << 16)) for path in found]
    if member == "head":  # one in each line: origin, size, root, height, time, state, signature
        lines, at = receipt["head"].split("\n"), 0
        changes = []
        for line in lines:
            if line:
                changes.append((("head",), at + choose.randrange(len(line))))
            at += len(line) + 1
        assert len(changes) == 7
    passes(held)
    for path, at in changes:

        def staple(
            receipt: JsonObject, path: tuple[str | int, ...] = path, at: int = at
        ) -> JsonObject:
            return with_change(receipt, path, at)

        seen = show(held.installation, held.wallet, held.copies[0], staple=staple)
        assert not seen.verified, path
        assert "anchor" in seen.failed, (path, seen.failed, seen.answer.text)
        # Without an anchor nobody knows at which height to ask for the accreditation.
        assert set(seen.failed) <= {"anchor", "accreditation", "policy"}, (path, seen.failed)
    passes(held)


def test_no_stapled_receipt_is_no_fault(held: Held) -> None:
    """The verifier builds one from the issuer's whole batch."""
    seen = show(held.installation, held.wallet, held.copies[0], staple=lambda _receipt: None)
    assert seen.verified, seen.failed


def test_a_receipt_of_another_copy(held: Held) -> None:
    strange = held.wallet.receipt(held.copies[1])
    seen = show(held.installation, held.wallet, held.copies[0], staple=lambda _receipt: strange)
    assert "anchor" in seen.failed


def _jwt_part(number: int) -> Callable[[str], str]:
    def alter(token: str) -> str:
        parts = token.split(".")
        parts[number] = changed(parts[number], len(parts[number]) // 2)
        return ".".join(parts)

    return alter


@pytest.mark.slow
def test_in_the_served_status_list(make_installation: Callable[..., Installation]) -> None:
    installation = make_installation()
    installation.start()
    held = installation.issue(person(0))
    group = held_group(installation)

    def stored() -> str:
        with closing(sqlite3.connect(installation.data.identity_database)) as db:
            row = db.execute(
                "SELECT token FROM issuer_status_documents WHERE group_id = ?", (group,)
            )
            token: str = row.fetchone()[0]
            return token

    def replace(token: str) -> None:
        # Stopped, so that no cache of a running process hides what is on disk.
        installation.stop()
        with closing(sqlite3.connect(installation.data.identity_database)) as db, db:
            changed_rows = db.execute(
                "UPDATE issuer_status_documents SET token = ? WHERE group_id = ?", (token, group)
            ).rowcount
        assert changed_rows == 1
        installation.start()

    passes(held)
    intact = stored()
    for number in range(3):  # header, payload with the list, signature
        replace(_jwt_part(number)(intact))
        seen = show(installation, held.wallet, held.copies[0])
        assert not seen.verified
        assert list(seen.failed) == ["status"], (number, seen.failed)
        assert seen.failed["status"] not in ("revoked", "suspended")
    replace(intact)
    passes(held)


def held_group(installation: Installation) -> str:
    """The status group of everything that the civil registry has issued here."""
    with closing(sqlite3.connect(installation.data.identity_database)) as db:
        ((group,),) = db.execute(
            "SELECT DISTINCT group_id FROM issuer_copies WHERE agency = 'civil-registry'"
        ).fetchall()
    assert isinstance(group, str)
    return group


@pytest.mark.slow
def test_in_the_ledger_file(make_installation: Callable[..., Installation], tmp_path: Path) -> None:
    installation = make_installation()
    installation.start()
    held = installation.issue(person(0))
    passes(held)
    installation.stop()
    whole, trust = tmp_path / "whole.db", installation.trust
    shutil.copyfile(installation.data.ledger, whole)
    for suffix in ("-wal", "-shm"):
        beside = Path(f"{installation.data.ledger}{suffix}")
        if beside.exists():
            shutil.copyfile(beside, f"{whole}{suffix}")
    with closing(apsw.Connection(str(whole))) as db:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    content = dumped(whole)
    assert content is not None
    data = whole.read_bytes()
    before = audit(whole, trust=trust)
    assert before.is_clean, before.fault

    choose = random.Random(SEED)
    live = dead = 0
    copy = tmp_path / "changed.db"
    while live < LEDGER_BYTES:
        at = choose.randrange(len(data))
        bits = 1 << choose.randrange(8)
        for suffix in ("-wal", "-shm"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        copy.write_bytes(data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :])
        if dumped(copy) == content:
            # The space between rows, or a flag of SQLite's: the ledger is as it was.
            dead += 1
            assert dead < 20 * LEDGER_BYTES
            continue
        live += 1
        report = audit(copy, trust=trust)
        assert report.fault, f"byte {at} ^ {bits}: not reported"
    after = audit(whole, trust=trust)
    assert (after.is_clean, after.head) == (True, before.head)
    print(f"{live} changed bytes reported; {dead} changed nothing that is stored")


def dumped(path: Path) -> dict[str, list[str]] | None:
    """Every table and row that SQLite reads from a file; None when it cannot."""
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
            schema = [
                (str(kind), str(name), repr(sql).lower())  # SQL does not care about case
                for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema")
            ]
            found = {"": [repr(line) for line in schema]}
            for kind, name, _sql in schema:
                if kind == "table":
                    found[name] = sorted(map(repr, db.execute(f'SELECT * FROM "{name}"')))
            return found
    except (apsw.Error, UnicodeDecodeError):
        return None


@pytest.mark.slow
def test_a_damaged_ledger_is_named_on_the_command_line(
    make_installation: Callable[..., Installation],
) -> None:
    installation = make_installation()
    installation.start()
    installation.stop()

    def command() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "identity.cli",
                "audit",
                "--ledger",
                str(installation.data.ledger),
                "--trust",
                str(installation.data.trust_anchor),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )

    clean = command()
    assert (clean.returncode, clean.stdout[:6]) == (0, "clean:"), clean
    with closing(apsw.Connection(str(installation.data.ledger))) as db:
        row = db.execute("SELECT idx, data FROM entries WHERE idx = 3").get
        index, data = row
        db.execute(
            "UPDATE entries SET data = ? WHERE idx = ?",
            (data.replace(b'"height"', b'"heighT"'), index),
        )
    told = command()
    assert told.returncode == 1
    assert ": log entry 3 " in told.stdout


def test_shown_names_the_reason(held: Held) -> None:
    """The helper itself: a yes has no failed checks, and a no has at least one."""
    seen = show(held.installation, held.wallet, held.copies[0])
    assert (seen.state, seen.failed, seen.first_failed) == ("answered", {}, "")
    refused = show(held.installation, held.wallet, held.copies[0], alter=lambda text: text[:-2])
    assert isinstance(refused, Shown)
    assert refused.failed
    assert json.loads(refused.answer.text)["error"] == "invalid_request"
