"""The sentences of the contract (VC API, VC Data Model, Data Integrity, DID Resolution), by number.

`sentences.toml` holds each sentence with the tests that hold us to it. Where the contract itself
is at hand (`CAIRN_CONTRACTS`, by default beside the repository), it is split here anew, so that a
sentence that changed, or came, is noticed.
"""

import os
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TABLE = Path(__file__).with_name("sentences.toml")
_NAME = "vc-api.md"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, the tests that show it kept, and those that show what it forbids refused."""

    id: str
    says: str
    kept: tuple[str, ...]
    refused: tuple[str, ...]


@cache
def table() -> tuple[Sentence, ...]:
    """The sentences as `sentences.toml` has them."""
    entries = tomllib.loads(TABLE.read_text("utf-8"))["sentence"]
    return tuple(
        Sentence(
            id=entry["id"],
            says=entry["says"],
            kept=tuple(entry["kept"]),
            refused=tuple(entry["refused"]),
        )
        for entry in entries
    )


def contract() -> Path | None:
    """The contract, where it is at hand."""
    folder = os.environ.get("CAIRN_CONTRACTS") or ROOT.parent / "shared" / "contracts"
    path = Path(folder) / _NAME
    return path if path.is_file() else None


def split(text: str) -> list[tuple[str, str]]:
    """Sections 1 to 8 as (id, sentence), white space made one blank."""
    found: list[tuple[str, str]] = []
    section, number = 0, 0
    for block in re.split(r"\n(?=## |- |\| |`)|\n\n|(?<=\n)(?=## )", text):
        lines = block.strip().splitlines()
        if not lines:
            continue
        heading = re.match(r"## (\d+)", lines[0])
        if heading:
            section, number = int(heading[1]), 0
            lines = lines[1:]
        joined = " ".join(" ".join(lines).split())
        if not section or not joined or re.fullmatch(r"[|\- ]+", joined):
            continue
        for part in re.split(r"(?<=[^.]\.)\s+(?=[A-Z*`\"])|;\s+", joined.removeprefix("- ")):
            if len(part.strip()) >= 8:
                number += 1
                found.append((f"{section}.{number}", part.strip()))
    return found
