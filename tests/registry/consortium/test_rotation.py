"""A next validator key: made ahead, used when it votes, whole after a crash at any step."""

import os
from pathlib import Path

import pytest

from registry.consortium.folder import MemberFolder
from registry.consortium.rotation import NextKeyExists, make_next_key, next_key, use_next_key
from registry.consortium.validator import node_keys
from registry.ledger.comet.node_files import read_signed_height, read_validator_key


@pytest.fixture
def folder(tmp_path: Path) -> MemberFolder:
    folder = MemberFolder(tmp_path / "member")
    folder.make()
    node_keys(folder, os.urandom)
    state = folder.node / "data" / "priv_validator_state.json"
    state.write_text('{"height": "77", "round": 0, "step": 3}')
    return folder


def test_the_next_key_waits_until_it_votes(folder: MemberFolder) -> None:
    old = read_validator_key(folder.node)
    made = make_next_key(folder, os.urandom)

    assert next_key(folder) == made != old
    assert not use_next_key(folder, frozenset({old}))
    assert read_validator_key(folder.node) == old
    with pytest.raises(NextKeyExists):
        make_next_key(folder, os.urandom)

    assert use_next_key(folder, frozenset({made}))
    assert read_validator_key(folder.node) == made
    assert read_signed_height(folder.node) == 0
    assert next_key(folder) is None
    assert not use_next_key(folder, frozenset({made}))
    assert make_next_key(folder, os.urandom) != made


@pytest.mark.parametrize("step", range(4))
def test_a_crash_between_two_steps_is_gone_on_from(
    folder: MemberFolder, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_next_key(folder, os.urandom)
    whole, done = Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(self)
        return whole(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            use_next_key(folder, frozenset({made}))

    assert use_next_key(folder, frozenset({made}))
    assert read_validator_key(folder.node) == made
    assert read_signed_height(folder.node) == 0
    kept = sorted(path.name for path in folder.node.rglob("retired-*"))
    assert kept == ["retired-1-priv_validator_key.json", "retired-1-priv_validator_state.json"]
    assert "77" in (folder.node / "data" / kept[1]).read_text()
