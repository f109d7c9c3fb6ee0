"""The peers are here, in the versions that docs/specs.md speaks of."""

import json

from tests.peers import NODE_FOLDER, PYTHON_FOLDER, run_node, run_python


def test_the_javascript_peers_are_those_of_the_lock_file():
    lock = json.loads((NODE_FOLDER / "package-lock.json").read_text())

    versions = run_node("versions.mjs", None)

    assert len(versions) == 23
    for name, version in versions.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert versions["@openid4vc/openid4vp"] == "0.4.6"
    assert versions["@credo-ts/openid4vc"] == "0.6.3"


def test_the_python_peers_are_those_that_are_pinned():
    pinned = dict(
        line.split("==") for line in (PYTHON_FOLDER / "requirements.in").read_text().splitlines()
    )

    versions = run_python("versions.py", None)

    assert versions == pinned
    assert len(versions) == 4


def test_the_lock_files_name_no_host_and_every_package_has_its_digest():
    lock = json.loads((NODE_FOLDER / "package-lock.json").read_text())
    requirements = (PYTHON_FOLDER / "requirements.txt").read_text()

    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert packages
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    assert "://" not in requirements
    assert requirements.count("--hash=sha256:") > 50
