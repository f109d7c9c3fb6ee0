"""How long a test runs: a part in `make test`, all of it in `make soak`."""

import os

LONG = os.environ.get("CAIRN_LONG") == "1"


def length(part: int, whole: int) -> int:
    """`part`, or `whole` where CAIRN_LONG=1 asks for the long run."""
    assert 0 < part <= whole
    return whole if LONG else part
