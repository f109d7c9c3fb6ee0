"""`python -m registry.consortium FOLDER`: run the member whose folder this is, until SIGTERM.

Exit codes: 0 after SIGTERM or SIGINT; 1 when the node ended and may be started again; 3 when the
member stopped for good. The reason is one line on standard error.
"""

import signal
import sys
from importlib.metadata import version
from pathlib import Path

from registry.consortium.folder import MemberFolder
from registry.consortium.joining import snapshot_of_network
from registry.consortium.member import MemberProcess, MemberStopped, NodeEnded
from registry.core.refusals import Refusal

RUN_AGAIN, STOPPED = 1, 3
TOOLS = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "cometbft"


def main(arguments: list[str]) -> int:
    """Run a member; the exit code."""
    if len(arguments) != 1:
        print("usage: python -m registry.consortium FOLDER", file=sys.stderr)  # noqa: T201
        return STOPPED
    folder = MemberFolder(Path(arguments[0]))
    try:
        member = MemberProcess(
            folder,
            version=version("cairn"),
            tools=TOOLS,
            tell=lambda line: print(line, flush=True),  # noqa: T201
            snapshot=lambda: snapshot_of_network(folder),
        )
        member.start()
    except Refusal as refusal:
        return _end(refusal, STOPPED)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: member.end())
    try:
        member.run()
    except NodeEnded as ended:
        return _end(ended, RUN_AGAIN)
    except MemberStopped as stopped:
        return _end(stopped, STOPPED)
    finally:
        member.stop()
    return 0


def _end(reason: Refusal, code: int) -> int:
    print(f"cairn: {type(reason).__name__}: {reason.detail}", file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
