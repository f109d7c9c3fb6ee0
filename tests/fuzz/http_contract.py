"""Schemathesis over the OpenAPI document of a whole installation, in this process.

`python -m tests.fuzz.http_contract [examples]`: that many examples for each operation (100 by
default), half of them breaking the schema. No answer may be a 5xx other than a documented 503, none
may have a status that the document does not name, and none may say what it was sent.
"""

import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from identity.adapters.logs import set_up_logging
from identity.adapters.secret_files import read_access_keys
from identity.compose import compose
from identity.config import load_settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_EXAMPLES = 100


@contextmanager
def installation(folder: Path) -> Iterator[tuple[FastAPI, dict[str, str]]]:
    """The demonstration, composed, with its access keys by scope."""
    settings = load_settings(
        ROOT / "deploy" / "demo.toml",
        server={"data_dir": folder / "data", "requests_per_minute": 0},
        ledger={"new_dids_per_hour": 0},
    )
    with (folder / "log").open("w") as log:
        set_up_logging(log)
        composition = compose(settings, random=secrets.token_bytes)
        try:
            composition.start()
            yield composition.app, dict(read_access_keys(composition.folder.secrets))
        finally:
            composition.close()


def run(app: FastAPI, keys: dict[str, str], *, examples: int, seed: int) -> dict[str, int]:
    """Call every operation `examples` times; how often each was called.

    Raises:
        AssertionError: of the first operation that broke its contract, with how to repeat it.
    """
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    called: dict[str, int] = {}
    failures: list[str] = []
    for number, found in enumerate(schema.get_all_operations()):
        operation = found.ok()
        try:
            called[operation.label] = _call(operation, keys, examples, seed + number)
        except (Exception, BaseExceptionGroup) as error:  # all operations are tried first
            failures.append(f"{operation.label}: {_told(error)}")
    assert not failures, "\n\n".join(failures)
    return called


def _call(operation: Any, keys: dict[str, str], examples: int, seed: int) -> int:
    count = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        if operation.body or list(operation.iter_parameters())
        else operation.as_strategy(),
        known=hypothesis.strategies.booleans(),
    )
    def call(case: Any, known: bool) -> None:
        nonlocal count
        headers = {}
        if known:  # half of the calls get past the door
            case.path_parameters |= _known_names(case.path_parameters)
            scope = _scope(case.path_parameters, case.path)
            if scope in keys:
                headers["Authorization"] = f"Bearer {keys[scope]}"
        case.call_and_validate(
            headers=headers, checks=[not_a_server_error_but_503, status_code_conformance]
        )
        count += 1

    call()
    return count


@schemathesis.check
def not_a_server_error_but_503(ctx: Any, response: Any, case: Any) -> None:
    """A bug answers 500; 503 says "not now" and has to be documented."""
    if response.status_code != 503:
        not_a_server_error(ctx, response, case)


def _known_names(parameters: dict[str, Any]) -> dict[str, Any]:
    known = {"agency": "civil-registry", "party": "bar", "verifier": "bar"}
    return {name: known[name] for name in parameters if name in known}


def _scope(parameters: dict[str, Any], path: str) -> str:
    if path.startswith("/issuers"):
        return f"issuer:{parameters.get('agency')}"
    return f"verifier:{parameters.get('party') or parameters.get('verifier')}"


def _told(error: BaseException) -> str:
    inner = getattr(error, "exceptions", None)
    text = "\n".join(_told(item) for item in inner) if inner else f"{type(error).__name__}: {error}"
    return text[:3000]


def main() -> None:
    """As the module says."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_EXAMPLES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbelow(1 << 30)
    print(f"seed {seed}, {examples} examples an operation")
    with (
        tempfile.TemporaryDirectory(prefix="cairn-fuzz-") as folder,
        installation(Path(folder)) as (app, keys),
    ):
        called = run(app, keys, examples=examples, seed=seed)
    for label, count in called.items():
        print(f"{count:6} {label}")
    print(f"{len(called)} operations, {sum(called.values())} calls, nothing undocumented")


if __name__ == "__main__":
    main()
