"""Runs the members of a local network, each in a process of its own, and starts again what falls.

A member whose node ended is started again, later each time. One that stopped for good (a scheduled
upgrade, a key that must not sign) is left alone: its last line says what to do.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from registry.consortium.__main__ import STOPPED
from registry.core.refusals import Unavailable

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 20.0
CALM_SECONDS = 30.0  # after so long a life the next pause is short again
STOP_SECONDS = 20.0
MAX_LINE_BYTES = 4096


class NotReady(Unavailable):
    """The members do not answer in time; their logs say why."""


class Supervisor:
    """The processes of several members, watched from one thread."""

    def __init__(self, folders: Sequence[Path], *, tell: Callable[[str], None]) -> None:
        """
        Args:
            folders: one for each member.
            tell: what the operator should read: lines of members, and what became of them.
        """
        self._folders = tuple(folders)
        self._tell = tell
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._processes: dict[Path, asyncio.subprocess.Process] = {}
        # Not `Thread.join`: a signal that interrupts it makes Python take the thread for ended.
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all members and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """End all members, in order; none of their processes runs when this returns."""
        if self._thread.ident is not None and not self._ended.is_set():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._ended.wait(2 * STOP_SECONDS)

    def wait(self) -> None:
        """Until every member has stopped for good."""
        while not self._ended.wait(0.5):
            pass

    def pid_of(self, folder: Path) -> int | None:
        """Process id of a member, None while it does not run."""
        process = self._processes.get(folder)
        return None if process is None or process.returncode is not None else process.pid

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._supervise())
        finally:
            self._loop.close()
            self._ended.set()

    async def _supervise(self) -> None:
        await asyncio.gather(*(self._keep(folder) for folder in self._folders))

    async def _keep(self, folder: Path) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ending.is_set():
            began = time.monotonic()
            code = await self._live(folder)
            if self._ending.is_set():
                return
            if code == STOPPED:
                self._tell(f"{folder.name}: stopped, and is not started again")
                return
            if time.monotonic() - began > CALM_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._tell(f"{folder.name}: ended with code {code}; starts again in {pause:.1f} s")
            try:
                await asyncio.wait_for(self._ending.wait(), pause)
            except TimeoutError:
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _live(self, folder: Path) -> int:
        """Start a member and wait until it ends; its exit code."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "registry.consortium",
            os.fspath(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=MAX_LINE_BYTES,
        )
        self._processes[folder] = process
        reading = asyncio.create_task(self._read(folder, process))
        ending = asyncio.create_task(self._ending.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({ending, ended}, return_when=asyncio.FIRST_COMPLETED)
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(ended), STOP_SECONDS)
            except TimeoutError:
                process.kill()
        code = await ended
        ending.cancel()
        await reading
        return code

    async def _read(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        """Pass on what a member writes, and keep it in its log."""
        assert process.stdout is not None
        log = folder / "logs" / "member.log"
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log.open("ab") as kept:
            while True:
                try:
                    line = await process.stdout.readline()
                except ValueError:  # longer than the limit: a traceback's line, of no use here
                    continue
                if not line:
                    return
                kept.write(line)
                kept.flush()
                self._tell(f"{folder.name}: {line.decode('utf-8', errors='replace').rstrip()}")
