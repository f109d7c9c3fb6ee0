"""One `cometbft start` as a child process."""

import os
import signal
import subprocess
import time
from pathlib import Path

STOP_SECONDS = 10.0


class NodeProcess:
    """A running node. Its standard output goes to a log file; it runs in its home."""

    def __init__(self, program: Path, home: Path, *, log: Path) -> None:
        """
        Args:
            program: the `cometbft` program, whose version has been checked.
            home: the node's folder, with keys, genesis and configuration.
            log: file to append its output to.

        Raises:
            OSError: it cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the operator's own program
                [program, "start", "--home", "."],
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", ""), "HOME": os.fspath(home)},
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """End it in order, or by force when it takes too long."""
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        if self.is_running:
            self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it without ending it."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def wait_ended(self, seconds: float) -> int | None:
        """Wait for it to end by itself; its exit code, or None when it still runs."""
        deadline = time.monotonic() + seconds
        while self.is_running and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.exit_code
