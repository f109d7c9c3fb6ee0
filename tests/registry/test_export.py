"""An export holds everything, and no altered one is taken for whole."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from registry import check_export as checking
from registry import replay as replaying
from registry.audit_source import FileSource
from registry.check_export import MAX_LINE_BYTES, CheckReport, NoExportFile, check_export
from registry.core.checkpoint import parse_head
from registry.core.cosignature import Witnesses, add_cosignatures, cosign, witness_key
from registry.core.encoding import canonical_json, parse_json_object
from registry.core.trust_anchor import TrustAnchor
from registry.export import ExportExists, export
from registry.ledger.embedded import EmbeddedLedger
from registry.ledger.port import LedgerDamaged
from tests.registry.authors import (
    CREATED,
    UnsafeHeadSigner,
    genesis,
    new_did,
    trust_anchor,
)
from tests.registry.histories import SIGNER, History, begun, honest

WITNESS = UnsafeHeadSigner("witness.example/w1")
FLIPS = 400  # of the bits of one file, spread evenly and at random


def exported(history: History, path: Path, trust: TrustAnchor | None = None) -> Path:
    export(history, trust or trust_anchor(), path)
    return path


def check(path: Path, trust: TrustAnchor | None = None) -> CheckReport:
    return check_export(path, trust=trust or trust_anchor())


def fault(path: Path, trust: TrustAnchor | None = None) -> str:
    report = check(path, trust)
    assert report.fault is not None
    assert not report.is_clean
    assert report.head is None
    return report.fault


def rewritten(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    """Change lines and make the end line fit again, as a liar would."""
    lines = change(path.read_bytes().splitlines()[:-1])
    body = b"".join(line + b"\n" for line in lines)
    end = {
        "entries": sum(line.startswith(b'{"entry"') for line in lines),
        "heads": sum(line.startswith(b'{"head"') for line in lines),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    path.write_bytes(body + canonical_json({"end": end}) + b"\n")
    return path


def test_there_and_back(tmp_path: Path) -> None:
    history = honest()

    written = export(history, trust_anchor(), tmp_path / "e")

    report = check(tmp_path / "e")
    assert report.is_clean
    assert (report.entries, report.heads) == (written.entries, written.heads) == (5, 4)
    assert report.records == len(history.state)
    assert report.head == history.newest
    assert report.witnessed is None
    assert written.bytes < (tmp_path / "e").stat().st_size + 1
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_a_ledger_in_use_is_exported(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = EmbeddedLedger.open(path, genesis=genesis(), signer=SIGNER, now=lambda: CREATED + 10)
    try:
        for number in range(20):
            ledger.submit(new_did(f"author {number}")[0])
        with FileSource.open(path) as source:
            source.head(None)  # the snapshot begins
            ledger.submit(new_did("meanwhile")[0])
            export(source, trust_anchor(), tmp_path / "e")
    finally:
        ledger.close()

    report = check(tmp_path / "e")
    assert report.is_clean
    assert (report.entries, report.heads) == (21, 21)


def test_the_file_has_the_documented_form(tmp_path: Path) -> None:
    lines = exported(honest(), tmp_path / "e").read_bytes().splitlines()

    kinds = [next(iter(parse_json_object(line))) for line in lines]
    assert kinds == [
        "trust_anchor",
        *["entry", "head"],
        *["entry", "entry", "head"],
        *["entry", "head"],
        *["entry", "head"],
        "end",
    ]
    assert parse_json_object(lines[1])["entry"]["genesis"]["network"] == "testnet"
    for line in lines:
        assert canonical_json(parse_json_object(line)) == line


def test_an_export_replaces_no_file(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_text("mine")

    with pytest.raises(ExportExists):
        export(honest(), trust_anchor(), path)

    assert path.read_text() == "mine"
    assert [item.name for item in tmp_path.iterdir()] == ["e"]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda history: history.raw_entries.pop(),
        lambda history: history.heads.__setitem__(1, history.heads[2]),
    ],
)
def test_a_source_that_misses_something_gives_no_file(
    tmp_path: Path, break_it: Callable[[History], object]
) -> None:
    history = honest()
    break_it(history)

    with pytest.raises(LedgerDamaged):
        export(history, trust_anchor(), tmp_path / "e")

    assert list(tmp_path.iterdir()) == []


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = exported(honest(1), tmp_path / "e")
    whole = path.read_bytes()
    bits = random.Random(20261121).sample(range(len(whole) * 8), FLIPS)
    tail = range(len(whole) * 8 - 120 * 8, len(whole) * 8)  # the end line, every bit
    survived = []
    for bit in [*bits, *tail]:
        flipped = bytearray(whole)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        path.write_bytes(flipped)
        if check(path).is_clean:
            survived.append(bit)
    path.write_bytes(whole)

    assert survived == []
    assert check(path).is_clean
    assert len(bits) + len(tail) == FLIPS + 960


@pytest.mark.parametrize("cut", [1, 2, 50, 200, 1000])
def test_a_file_cut_short_is_found(tmp_path: Path, cut: int) -> None:
    path = exported(honest(), tmp_path / "e")
    path.write_bytes(path.read_bytes()[:-cut])

    assert check(path).fault is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:0], "first line"),
        (lambda lines: lines[1:], "first line"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3: log entry 1 comes before a missing head"),
        (lambda lines: [lines[0], *lines[3:]], "line 2: log entry 0 is of height 1, not 0"),
        (lambda lines: [*lines[:4], *lines[5:]], "line 5: the head of height 1 is not that of"),
        (lambda lines: lines[:-1], "has no head"),
        (lambda lines: lines[:1], "has no head, or there is no block"),
        (lambda lines: [*lines, lines[-1]], "a head without entries"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "line 6: the head of height"),
        (lambda lines: [*lines[:5], lines[2], *lines[6:]], "not that of its block"),
        (lambda lines: [*lines, b'{"more":1}'], "neither an entry nor a head"),
        (lambda lines: [*lines[:2], b'{"head":7}'], "no string"),
        (lambda lines: [*lines[:2], b'{"head":"x"}'], "line 3"),
        (lambda lines: [lines[0].replace(b"/1", b"/2"), *lines[1:]], "line 1"),
        (lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]], "line 1: not canonical"),
        (lambda lines: [*lines[:1], b"{" + b"x" * MAX_LINE_BYTES], "line 2: longer than"),
    ],
)
def test_a_forger_who_makes_the_digest_fit_is_found(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    path = exported(honest(), tmp_path / "e")
    assert check(path).is_clean

    rewritten(path, change)

    assert words in fault(path)


def test_what_stands_after_the_end_is_found(tmp_path: Path) -> None:
    path = exported(honest(), tmp_path / "e")
    path.write_bytes(path.read_bytes() + b"\n")

    assert "after the end" in fault(path)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"log_root": bytes(32)}, "another log root"),
        ({"state_root": bytes(32)}, "another state root"),
        ({"time": CREATED + 99}, "not that of its block"),
    ],
)
def test_a_lie_that_the_operator_signed_is_found(
    tmp_path: Path, lie: dict[str, object], words: str
) -> None:
    history = begun()
    history.block(new_did("alice")[0], **lie)
    history.block(new_did("bob")[0], at=CREATED + 99)

    assert words in fault(exported(history, tmp_path / "e"))


def test_a_transaction_that_the_rules_refuse_is_found(tmp_path: Path) -> None:
    history = begun()
    raw, _ = new_did("alice")
    value = parse_json_object(raw)
    value["signatures"][0]["value"] = "A" * 86
    history.put(canonical_json(value), height=1, time=CREATED + 1)
    history.sign(1, CREATED + 1)

    message = fault(exported(history, tmp_path / "e"))

    assert message.startswith("line 4: log entry 1 is refused by the rules")


def test_heads_of_another_key_are_found(tmp_path: Path) -> None:
    path = exported(honest(), tmp_path / "e")

    assert "signed" in fault(path, trust_anchor(UnsafeHeadSigner("mallory")))


def test_the_anchor_in_the_file_is_not_believed(tmp_path: Path) -> None:
    other = replace(trust_anchor(), roots=(new_did("somebody")[1].did,))
    path = exported(honest(), tmp_path / "e", other)

    assert "another network" in fault(path)
    assert fault(path, other) == (
        "line 2: log entry 0: members are not the roots of the trust anchor"
    )


def test_a_missing_file_is_no_clean_export(tmp_path: Path) -> None:
    with pytest.raises(NoExportFile):
        check(tmp_path / "e")


# --- witnesses


def witnessed_anchor() -> TrustAnchor:
    key = witness_key(WITNESS.name, WITNESS.key)
    return replace(trust_anchor(), witnesses=Witnesses((key,), 1))


def witnessed(history: History, height: int) -> None:
    note = history.heads[height]
    line = cosign(parse_head(note).note.text, WITNESS, time=CREATED + 50)
    history.heads[height] = add_cosignatures(note, [line])


def test_a_witnessed_head_speaks_for_everything_before_it(tmp_path: Path) -> None:
    history = honest()
    witnessed(history, 2)

    report = check(exported(history, tmp_path / "e"), witnessed_anchor())

    assert report.is_clean
    assert report.witnessed == parse_head(history.heads[2]).claimed
    assert report.head == history.newest


def test_without_the_quorum_nothing_is_clean(tmp_path: Path) -> None:
    path = exported(honest(), tmp_path / "e")

    assert "quorum of the witnesses" in fault(path, witnessed_anchor())
    assert check(path).is_clean


# --- a check that is switched off is missed


@pytest.mark.parametrize("check_name", ["verify_past_head", "verify_head_follows"])
def test_the_checks_of_heads_are_all_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_name: str
) -> None:
    history = honest()
    if check_name == "verify_head_follows":
        history.block(new_did("carol")[0], at=CREATED)  # time goes back
        trust = trust_anchor()
    else:
        trust = trust_anchor(UnsafeHeadSigner("mallory"))
    path = exported(history, tmp_path / "e")
    assert check(path, trust).fault is not None

    off = (lambda note, _trust: parse_head(note).claimed) if check_name[-4:] == "head" else None
    monkeypatch.setattr(replaying, check_name, off or (lambda *_: None))
    if off is not None:  # the newest head is looked at twice
        assert check(path, trust).fault is not None
        monkeypatch.setattr(
            checking, "verify_unwitnessed_head", lambda note, _trust, now: parse_head(note).claimed
        )

    assert check(path, trust).is_clean  # so it is this check that finds it


def test_the_quorum_is_what_step_4_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(honest(), tmp_path / "e")

    monkeypatch.setattr(checking, "verify_cosignatures", lambda *_: ())

    assert check(path, witnessed_anchor()).is_clean
