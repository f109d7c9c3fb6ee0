"""The scan itself: it must find what it is for, or its silence says nothing."""

import base64
import gzip
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.canaries import CanaryFound, CanaryScan

NUMBER, NAME, BORN = "110000199105061230", "欧阳明珠", "1991-02-03"
SCAN = CanaryScan([NUMBER, NAME, BORN])


@pytest.mark.parametrize("value", [NUMBER, NAME, BORN])
@pytest.mark.parametrize(
    "hide",
    [
        lambda v: v.encode(),
        lambda v: f"x{v}y".encode("utf-16-le"),
        lambda v: v.encode().hex().upper().encode(),
        lambda v: base64.b64encode(v.encode()),
        lambda v: base64.b64encode(b'{"a":"' + v.encode() + b'"}'),
        lambda v: base64.b64encode(b'{"aa":"' + v.encode() + b'"}'),
        lambda v: base64.urlsafe_b64encode(b'{"aaa":"' + v.encode() + b'"}'),
        lambda v: quote(v).encode(),
        lambda v: json.dumps({"v": v}).encode(),
        lambda v: hashlib.sha256(v.encode()).hexdigest().encode(),
        lambda v: hashlib.sha1(v.encode()).digest(),
        lambda v: hashlib.md5(v.encode()).hexdigest().upper().encode(),
        lambda v: base64.urlsafe_b64encode(hashlib.sha256(v.encode()).digest()),
        lambda v: gzip.compress(b"..." + v.encode() + b"..."),
        lambda v: v[::-1].encode(),
    ],
)
def test_every_form_is_found(value, hide):
    with pytest.raises(CanaryFound, match="here"):
        SCAN.assert_absent(
            b"before " + hide(value) if hide(value)[:2] != b"\x1f\x8b" else hide(value), "here"
        )


def test_a_date_without_separators_is_found():
    with pytest.raises(CanaryFound):
        SCAN.assert_absent("born 19910203", "here")


def test_other_bytes_pass():
    SCAN.assert_absent("110000199105061231 欧阳 明 1991-02-04 " * 50, "here")


def test_files_are_read_and_counted(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "clean.bin").write_bytes(b"nothing")
    assert SCAN.scan_paths([tmp_path]) == 1

    (tmp_path / "a" / "dirty.bin").write_bytes(NAME.encode())
    with pytest.raises(CanaryFound, match=r"dirty\.bin"):
        SCAN.scan_paths([tmp_path])


def test_a_canary_that_would_turn_up_by_chance_is_refused():
    with pytest.raises(ValueError, match="fewer than"):
        CanaryScan(["Li"])
