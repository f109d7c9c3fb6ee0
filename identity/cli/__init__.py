"""The command line: `cairn …`."""

from identity.cli.main import main

__all__ = ["main"]
