"""One target under atheris; started by `tests.fuzz`, with libFuzzer's own arguments."""

import sys

import atheris

with atheris.instrument_imports(include=["identity", "registry"]):
    from tests.fuzz.targets import run


def main() -> None:
    """Run until libFuzzer has had enough."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, lambda data: run(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
