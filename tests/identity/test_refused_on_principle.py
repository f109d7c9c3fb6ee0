"""What Cairn refuses to be: no store, log or interface says where a citizen shows her credentials.

Other refusals are held out elsewhere: forbidden categories in `tests/registry/core` and below,
matching by what we give out in `tests/identity/unlinkable`. Here the structure is looked at:
nothing that names a holder stands beside something that names a relying party.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

import identity
import registry
from identity.adapters.tables import METADATA
from identity.installation.folder import DataFolder
from registry.core.forbidden_words import FORBIDDEN
from registry.core.records import record_object
from registry.core.schema_rules import CategoryForbidden, check_schema
from tests.identity.issuer.workbench import Workbench
from tests.registry.core.actors import TestLedger
from tests.registry.core.story import story

HOLDER = re.compile(r"subject|person|holder|citizen|issuance|credential_?id|thumbprint|copy|copies")
# A `client_id` in an issuer's table names wallet software (RFC 6749), not whom she shows it to.
PARTY = re.compile(r"party|parties|verifier|audience|relying")
# Columns by which rows of two tables could be joined, though they name neither by themselves.
NEUTRAL = {"agency", "state", "status", "created_at", "expires_at", "digest", "version", "purpose"}
# One name, two things: to issuers how copies went and a wallet's software, to verifiers
# the way a request goes and the verifier's own name. No value of the one is a value of the other.
HOMONYMS = {"delivery", "client_id"}
SOURCES = [Path(package.__file__).parent for package in (identity, registry)]


def both(names: set[str]) -> bool:
    return any(map(HOLDER.search, names)) and any(map(PARTY.search, names))


def tables() -> list[Table]:
    return [table for metadata in METADATA.values() for table in metadata.tables.values()]


def pairs(found: list[Table]) -> list[str]:
    """Tables that hold both, alone or joined over a column of the same name."""
    sides: dict[str, tuple[set[str], set[str]]] = {}
    wrong = []
    for table in found:
        names = {column.name for column in table.columns}
        if both(names):
            wrong.append(table.name)
        holder = {n for n in names if any(map(HOLDER.search, names))} - NEUTRAL - HOMONYMS
        party = {n for n in names if any(map(PARTY.search, names))} - NEUTRAL - HOMONYMS
        sides[table.name] = (holder, party)
    for one, (holder, _) in sides.items():
        for other, (_, party) in sides.items():
            wrong += [f"{one} and {other} over {name}" for name in holder & party]
    return sorted(set(wrong))


def test_no_table_holds_citizens_beside_relying_parties() -> None:
    names = {table.name for table in tables()}
    assert len(names) >= 15
    assert {"issuer_copies", "verifier_requests", "realname_binding"} <= names

    assert pairs(tables()) == []


@pytest.mark.parametrize(
    "columns",
    [
        [("visit", Integer), ("subject", String), ("party", String)],
        [("holder_thumbprint", String), ("audience", String)],
    ],
)
def test_such_a_table_would_be_found(columns: list[tuple[str, Any]]) -> None:
    planted = Table("visits", MetaData(), *(Column(name, kind) for name, kind in columns))

    assert "visits" in pairs([*tables(), planted])


def test_two_tables_that_could_be_joined_would_be_found() -> None:
    shown = Table("shown", MetaData(), Column("session", String), Column("subject", String))
    asked = Table("asked", MetaData(), Column("session", String), Column("party", String))

    assert pairs([shown, asked]) == ["shown and asked over session"]


def logged(tree: ast.AST) -> Iterator[set[str]]:
    """Names of what each call of a logger writes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in ("_log", "log", "logger"):
                yield {keyword.arg for keyword in node.keywords if keyword.arg}


def test_no_line_of_a_log_holds_both() -> None:
    calls = [
        names
        for folder in SOURCES
        for path in folder.rglob("*.py")
        for names in logged(ast.parse(path.read_text("utf-8")))
    ]

    assert len(calls) >= 8
    assert [names for names in calls if any(map(HOLDER.search, names))] == []
    planted = ast.parse('_log.info("shown", subject=a, party=b)')
    assert both(next(logged(planted)))


def members_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for value in schema.values():
            yield from members_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from members_of(value)


def test_no_message_of_the_issuer_names_a_relying_party(bench: Workbench) -> None:
    described = bench.http.app.openapi()  # type: ignore[attr-defined]
    names = set(members_of(described))
    paths = list(described["paths"])

    assert {"subject", "credential_type"} <= names
    assert not [name for name in names if PARTY.search(name)]
    assert not [path for path in paths if PARTY.search(path)]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def test_no_record_of_the_ledger_names_a_citizen() -> None:
    ledger = TestLedger()
    for data in story():
        ledger.apply(data)
    # Institutions, by their DID; a proposal may be about one.
    subjects = {"accreditation", "accreditations", "compromise", "proposal"}
    kinds = {record_object("x")["record"]}
    for key, value in ledger.state.items():
        members = set(re.findall(rb'"([a-z_]+)":', value))
        kinds.add(key.partition("/")[0])
        if key.partition("/")[0] not in subjects:
            assert not members & {b"subject", b"person", b"holder", b"credential"}, key
    assert len(kinds) > 12


def test_no_file_of_an_installation_is_for_visits(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.make()

    names = {path.name for path in tmp_path.rglob("*")}
    assert {"identity", "vault", "ledger"} <= names
    assert not [name for name in names if re.search(r"visit|history|shown|presentation", name)]


@pytest.mark.parametrize("category", sorted(FORBIDDEN))
def test_what_is_refused_as_content_of_any_credential(category: str) -> None:
    word = FORBIDDEN[category][0].replace("*", "").replace(" ", "_")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/schemas/x/1/schema.json",
        "title": "A type",
        "type": "object",
        "properties": {word: {"type": "boolean"}},
    }

    with pytest.raises(CategoryForbidden):
        check_schema("x", schema)
