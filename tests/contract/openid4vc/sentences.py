"""Which test holds us to which sentence about OpenID4VCI and OpenID4VP clients in the field.

One TOML file a section. Each entry says in our words what clients were seen to need, and names the
tests that fail when we stop doing it:

    [[sentence]]
    id = "3.4"
    says = "The request object has the type oauth-authz-req+jwt."
    tests = ["tests/identity/verifier/test_openid4vp.py::test_the_link_names_the_party_and_where"]
"""

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Sentence:
    """One promise to clients, and the node ids (without parameters) of the tests that hold it."""

    id: str
    says: str
    tests: tuple[str, ...]


def read_section(number: int) -> tuple[Sentence, ...]:
    """The sentences of a section, in their order."""
    entries = tomllib.loads((FOLDER / f"section_{number}.toml").read_text())["sentence"]
    return tuple(
        Sentence(id=entry["id"], says=entry["says"], tests=tuple(entry["tests"]))
        for entry in entries
    )


@cache
def named_tests(path: str) -> frozenset[str]:
    """Names of the test functions in a file of tests; empty when there is no such file.

    A function that has no `assert` of its own, no `pytest.raises`, and calls nothing whose name
    begins with `check`, `assert` or `must` holds nobody to anything, and is left out.
    """
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and any(_holds(inner) for inner in ast.walk(node))
    )


def _holds(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name == "raises" or name.startswith(("check", "assert", "must"))
