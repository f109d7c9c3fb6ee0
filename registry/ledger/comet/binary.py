"""The `cometbft` program: where it is, and whether its version may run.

Below the floor of its line a node can be stalled or crashed by a peer (CVE-2025-24371, and the
block sync stall disclosed in April 2026). Lines that nobody maintains any more do not run at all.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from registry.core.refusals import NotPermitted, Unavailable

FLOORS: Mapping[tuple[int, int], int] = {(0, 38): 23, (0, 39): 2}
VARIABLE = "CAIRN_COMETBFT"  # names another program than the project's own
_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(?:[-+][0-9A-Za-z.+-]{1,64})?")
_SECONDS = 20.0


class NoCometBft(Unavailable):
    """There is no `cometbft` program here."""


class CometBftTooOld(NotPermitted):
    """The program is of a version with known holes, or of a line that we do not know."""


def find_cometbft(*places: Path, environment: Mapping[str, str] | None = None) -> Path:
    """The program that `CAIRN_COMETBFT` names, else the first of `places`, else that of the PATH.

    Raises:
        NoCometBft: there is none; the detail says how to get it.
    """
    environment = os.environ if environment is None else environment
    if named := environment.get(VARIABLE):
        places = (Path(named),)
    for place in places:
        if os.access(place, os.X_OK):
            return place.resolve()
    found = None if named else shutil.which("cometbft", path=environment.get("PATH"))
    if found is None:
        raise NoCometBft("there is no cometbft program; `make cometbft` builds it")
    return Path(found)


def verify_version(program: Path) -> str:
    """Ask the program for its version, and whether that may run.

    Raises:
        NoCometBft: it does not run.
        CometBftTooOld: below the floor of its line, or of another line.
    """
    try:
        ran = subprocess.run(  # noqa: S603 - the operator's own program
            [program, "version"], capture_output=True, timeout=_SECONDS, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise NoCometBft(f"{program.name} does not run ({type(error).__name__})") from error
    return check_version(ran.stdout.strip())


def check_version(text: str) -> str:
    """Whether a version may run.

    Raises:
        CometBftTooOld: it may not.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise CometBftTooOld("the cometbft program does not say its version")
    major, minor, patch = (int(part) for part in found.groups())
    floor = FLOORS.get((major, minor))
    if floor is None or patch < floor:
        allowed = ", ".join(f"{a}.{b}.{c} or later" for (a, b), c in sorted(FLOORS.items()))
        raise CometBftTooOld(f"cometbft {major}.{minor}.{patch} does not run here; use {allowed}")
    return text
