"""Wallets and verifiers that we did not write, run as test oracles in environments of their own.

`make peers` installs them; nothing of ours imports them. A program of theirs gets JSON on its
standard input and answers with JSON on its standard output.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NODE_FOLDER = ROOT / "tests" / "peers" / "node"
PYTHON_FOLDER = ROOT / "tests" / "peers" / "python"
PYTHON = ROOT / ".tools" / "peers" / "python" / "bin" / "python"
SECONDS = 120  # one run of a peer; the slowest loads its libraries for four


class PeerFailed(AssertionError):
    """A peer ended with an error: what it printed is the message."""


def run_node(
    script: str, message: Any, *, certificates: Path | None = None, seconds: float = SECONDS
) -> Any:
    """Run `tests/peers/node/<script>` on `message`; returns what it answers.

    Args:
        certificates: a PEM file of roots that it is to trust for TLS.

    Raises:
        PeerFailed: it failed, or answered something that is no JSON.
    """
    environment = {"PATH": os.environ["PATH"], "HOME": str(NODE_FOLDER), "NODE_NO_WARNINGS": "1"}
    if certificates is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(certificates)
    return _run(["node", str(NODE_FOLDER / script)], message, environment, seconds)


def run_python(script: str, message: Any, *, seconds: float = SECONDS) -> Any:
    """Run `tests/peers/python/<script>` on `message`; as `run_node`."""
    environment = {"PATH": os.environ["PATH"]}
    return _run([str(PYTHON), str(PYTHON_FOLDER / script)], message, environment, seconds)


class Conversation:
    """A peer that stays: one JSON message a line in, one a line out."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def say(self, message: Any) -> Any:
        """The answer to `message`.

        Raises:
            PeerFailed: it ended, or answered with an error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(self._process.stderr.read()[-4000:])
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise PeerFailed(json.dumps(answer)[:4000])
        return answer

    def close(self) -> None:
        """End it."""
        with self._process:
            self._process.kill()


def talk_to_node(script: str) -> Conversation:
    """Start `tests/peers/node/<script>`."""
    return Conversation(
        ["node", str(NODE_FOLDER / script)],
        {"PATH": os.environ["PATH"], "HOME": str(NODE_FOLDER), "NODE_NO_WARNINGS": "1"},
    )


def _run(command: list[str], message: Any, environment: dict[str, str], seconds: float) -> Any:
    done = subprocess.run(
        command,
        input=json.dumps(message),
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        raise PeerFailed(f"{command[1]}: {done.stderr[-4000:]}{done.stdout[-1000:]}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise PeerFailed(f"{command[1]} answered: {done.stdout[-2000:]}") from error
