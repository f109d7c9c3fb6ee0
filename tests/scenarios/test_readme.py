"""What the README tells people to type, typed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.installation import ROOT, Installation, person

README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = tuple(
    dict.fromkeys(
        match[1].split("#")[0].strip()
        for match in re.finditer(r"^(?:.*`)?\.venv/bin/(cairn [^`\n]*)", README, re.MULTILINE)
    )
)

pytestmark = pytest.mark.slow


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(command: str, shared: Installation, tmp_path: Path):
    credential = tmp_path / "credential.txt"
    credential.write_text(shared.issue(person(9)).copies[0].text)
    words = shlex.split(command)[1:]
    places = {
        "data": str(shared.data.root),
        "data/public/trust-anchor.json": str(shared.data.trust_anchor),
        "http://127.0.0.1:8000": shared.base,
        "history.jsonl": str(shared.folder / "history.jsonl"),  # made by one, checked by the next
        "watch.json": str(tmp_path / "watch.json"),
        "FILE": str(credential),
    }
    words = [places.get(word, word) for word in words]
    if words[0] in ("verify", "offer"):
        words += ["--base", shared.base]
    if words[0] == "verify":
        words += ["--trust", str(shared.data.trust_anchor)]
    if words[0] == "offer":
        words += ["--data", str(shared.data.root)]

    done = subprocess.run(
        [sys.executable, "-m", "identity.cli", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_that_the_readme_names_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", README):
        named = next(filter(None, target))
        assert (ROOT / named).exists(), named
