"""A forked child under strace: all of its storage calls are listed, and one can be made to fail.

The child waits until strace is attached, so that nothing before its work counts. Only calls on the
named files count (`-P`), and the file into which the child writes its answers is one of them: so
the trace says which answer came before which call.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WRITES = ("openat", "pwrite64", "write", "fsync", "fdatasync", "rename", "unlink", "ftruncate")
READS = ("pread64", "read")
SYNCS = ("fsync", "fdatasync")
CHILD_SECONDS = 60  # a child that hangs is killed

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One line of a trace."""

    name: str
    fd: str  # path behind the descriptor, "" when there is none
    strings: tuple[bytes, ...]
    flags: str
    numbers: tuple[int, ...]
    result: int
    injected: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Which call fails, and how: `signal=KILL`, `error=EIO` or `error=ENOSPC`."""

    call: str
    number: int  # counted from 1 among the calls of this name
    effect: str

    def __str__(self) -> str:
        return f"{self.effect} at {self.call} {self.number}"


_LINE = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$")
_FD = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_NUMBER = re.compile(r"(?:^|, )(\d+)(?=$|, )")


def strace() -> str | None:
    """Where strace is; Debian's package is installed when we are root and it is missing."""
    if shutil.which("strace") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "strace"]):
            subprocess.run(command, check=False, capture_output=True, timeout=300)
    return shutil.which("strace")


def run_traced(
    work: Callable[[Say], None],
    *,
    files: Sequence[Path],
    answers: Path,
    trace: Path,
    fault: Fault | None = None,
) -> list[Call]:
    """Do `work` in a forked child; what it says is appended to `answers`, line by line.

    The caller must have one thread only.
    """
    ready, go = os.pipe()
    answers.touch()
    child = os.fork()
    if child == 0:
        _be_child(work, ready, answers)
    os.close(ready)
    command = ["strace", "-p", str(child), "-o", str(trace), "-y", "-xx", "-s", "1100000"]
    for path in (*files, answers):
        command += ["-P", str(path)]
    command += ["-e", "trace=" + ",".join((*WRITES, *READS)), "-e", "signal=none"]
    if fault is not None:
        command += ["-e", f"inject={fault.call}:{fault.effect}:when={fault.number}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    attached = tracer.stderr.readline()
    assert "attached" in attached, f"strace cannot attach: {attached}"
    os.write(go, b"g")
    os.close(go)
    try:
        tracer.communicate(timeout=CHILD_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(child, 9)
        tracer.communicate()
        answers.write_text(answers.read_text() + "hung\n")
    os.waitpid(child, 0)
    return [call for line in trace.read_text().splitlines() if (call := _parse(line)) is not None]


def _be_child(work: Callable[[Say], None], ready: int, answers: Path) -> None:
    status = 1
    try:
        os.read(ready, 1)
        said = os.open(answers, os.O_WRONLY | os.O_APPEND)
        work(lambda line: void(os.write(said, line.encode() + b"\n")))
        status = 0
    except BaseException as error:
        os.write(said, f"crash {type(error).__name__} {error}\n".encode())
    finally:
        os._exit(status)


def void(_value: object) -> None:
    """Nothing."""


def _parse(line: str) -> Call | None:
    found = _LINE.match(line)
    if found is None:
        return None  # a line about the process, or the call it died in
    name, arguments, result, rest = found.groups()
    fd = _FD.match(arguments)
    strings = tuple(_bytes(text) for text in _TEXT.findall(arguments))
    plain = _TEXT.sub("", _FD.sub("", arguments))
    return Call(
        name=name,
        fd=_bytes(fd.group(1)).decode() if fd else "",
        strings=strings,
        flags=plain,
        numbers=tuple(int(number) for number in _NUMBER.findall(plain)),
        result=-1 if result == "?" else int(result),
        injected="INJECTED" in rest,
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
