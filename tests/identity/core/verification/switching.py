"""Switches single steps of the verifier off, to see whether anything notices.

A step is an `if` that refuses, or a call that refuses by raising (`verify_…`, `check_…`). Each is
found in the sources, so a new one cannot be forgotten: without an entry in `switches.toml` the
test that counts them fails.
"""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

# Where a credential is judged. Parsers of single formats have suites and mutations of their own.
MODULES = (
    "identity.core.verification.verdict",
    "identity.core.verification.pipeline",
    "identity.core.verification.policy",
    "identity.core.verification.trust_checks",
    "identity.core.verification.content_checks",
    "identity.core.verification.status_check",
    "identity.core.verification.asking_checks",
    "identity.core.verification.holder",
    "identity.core.verification.proof",
    "identity.core.verification.envelopes",
    "identity.core.verification.did_documents",
    "identity.core.data_integrity.proofs",
    "identity.core.sd_jwt.verifier",
    "identity.core.sd_jwt.opening",
    "identity.core.sd_jwt_vc",
    "identity.core.jose",
    "identity.core.cose",
    "identity.core.json_schema",
    "identity.core.pseudonym",
)
# Here every condition decides, whether it raises or returns.
_COMBINERS = ("identity.core.verification.verdict", "identity.core.verification.pipeline")
_CALLS = ("verify", "check", "matches", "satisfies")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: module, function, and the condition or call as it stands in the source."""

    module: str
    function: str
    text: str
    number: int  # among equal ones of the function

    def __str__(self) -> str:
        name = self.module.removeprefix("identity.core.")
        again = f" #{self.number}" if self.number else ""
        return f"{name}.{self.function}: {self.text}{again}"


@cache
def steps() -> tuple[Step, ...]:
    """Every step of every module, in the order of the sources."""
    found: list[Step] = []
    for module in MODULES:
        for function, node in _functions(_tree(module)):
            seen: dict[str, int] = {}
            for step in _steps_in(node, module):
                text = _text(step)
                found.append(Step(module, function, text, seen.setdefault(text, 0)))
                seen[text] += 1
    return tuple(found)


@contextmanager
def switched_off(step: Step) -> Iterator[None]:
    """The step does nothing while this lasts."""
    tree = _tree(step.module)
    node = dict(_functions(tree))[step.function]
    number = 0
    for found in _steps_in(node, step.module):
        if _text(found) == step.text:
            if number == step.number:
                _disable(found)
                break
            number += 1
    else:
        raise AssertionError(f"no such step: {step}")
    module = importlib.import_module(step.module)
    code = compile(ast.fix_missing_locations(tree), inspect.getfile(module), "exec")
    function = _target(module, step.function)
    original = function.__code__
    _forget(module)
    function.__code__ = _code_of(code, step.function)
    try:
        yield
    finally:
        function.__code__ = original
        _forget(module)


def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def _steps_in(function: ast.FunctionDef, module: str) -> Iterator[ast.AST]:
    if function.name == "to_json":  # says what was decided, and decides nothing
        return
    for node in ast.walk(function):
        if isinstance(node, ast.If):
            refuses = any(isinstance(inner, ast.Raise) for inner in node.body)
            decides = module in _COMBINERS and any(
                isinstance(inner, ast.Return) for inner in node.body
            )
            if refuses or decides:
                yield node
        elif isinstance(node, ast.IfExp) and module in _COMBINERS:
            yield node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name.lstrip("_").startswith(_CALLS):
                yield node


def _text(node: Any) -> str:
    shown = node.value if isinstance(node, ast.Expr) else node.test
    return ast.unparse(shown)


def _disable(node: Any) -> None:
    if isinstance(node, ast.Expr):
        node.value = ast.Constant(None)
    else:  # a refusal that never comes; for an expression, the value that it guards
        node.test = ast.Constant(isinstance(node, ast.IfExp))


def _target(module: Any, name: str) -> Any:
    owner, _, inner = name.rpartition(".")
    found = inspect.getattr_static(getattr(module, owner) if owner else module, inner)
    found = found.fget if isinstance(found, property) else found
    return getattr(found, "__wrapped__", found)


def _code_of(code: CodeType, name: str) -> CodeType:
    for part in name.split("."):
        code = next(
            inner
            for inner in code.co_consts
            if isinstance(inner, CodeType) and inner.co_name == part
        )
    return code


def _forget(module: Any) -> None:
    """Answers that were remembered with the step on, or off, are no answers any more."""
    for value in vars(module).values():
        clear: Callable[[], None] | None = getattr(value, "cache_clear", None)
        if clear is not None:
            clear()
