"""Background work inside the process: a thread that does a small piece every so often."""

import threading
from collections.abc import Callable

import structlog

from registry.core.refusals import Refusal

_log = structlog.get_logger()


class Worker:
    """Calls `run_once` every `interval_seconds` until stopped; a failure is logged and tried again.

    The work itself must be safe to repeat and to run in several processes at once.
    """

    def __init__(self, name: str, run_once: Callable[[], None], *, interval_seconds: float) -> None:
        self._name = name
        self._run_once = run_once
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"cairn-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience_seconds: float = 10.0) -> None:
        """Finish the piece at hand and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(patience_seconds)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self._run_once()
            except Refusal as refusal:
                _log.warning("worker refused", worker=self._name, refusal=type(refusal).__name__)
            except Exception as error:  # noqa: BLE001 - the thread must outlive any one piece
                _log.error("worker failed", worker=self._name, error=type(error).__name__)
            self._stop.wait(self._interval_seconds)
