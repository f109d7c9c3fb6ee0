"""Large requests wait for each other, and small ones for none of them."""

import threading

import anyio
import pytest
from anyio import to_thread

from identity.turns import (
    AT_ONCE,
    LARGE_AT_ONCE,
    LARGE_BYTES,
    MAX_QUEUED,
    TooManyAtOnce,
    Turns,
)


def test_large_requests_take_turns_and_a_small_one_passes_them():
    turns, opened = Turns(), threading.Event()
    lock, running, most = threading.Lock(), [0], [0]

    def large() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        opened.wait(10)
        with lock:
            running[0] -= 1

    async def scenario() -> str:
        async with anyio.create_task_group() as group:
            for _ in range(60):  # more than there are worker threads
                group.start_soon(lambda: turns.run(large, size=LARGE_BYTES + 1))
            await anyio.sleep(0.1)
            with anyio.fail_after(5):
                passed = await turns.run(lambda: "passed", size=LARGE_BYTES)
            opened.set()
        return passed

    assert anyio.run(scenario) == "passed"
    assert most[0] == LARGE_AT_ONCE


def test_a_large_request_that_is_refused_ends_its_turn():
    turns = Turns()

    def refuse() -> None:
        raise ValueError

    async def scenario() -> int:
        refused = 0
        for _ in range(2 * LARGE_AT_ONCE):
            try:
                await turns.run(refuse, size=LARGE_BYTES + 1)
            except ValueError:
                refused += 1
        return refused

    assert anyio.run(scenario) == 2 * LARGE_AT_ONCE


def test_small_requests_leave_the_worker_threads_of_others_alone():
    turns, opened = Turns(), threading.Event()
    lock, running, most = threading.Lock(), [0], [0]

    def small() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        opened.wait(10)
        with lock:
            running[0] -= 1

    async def scenario() -> str:
        async with anyio.create_task_group() as group:
            for _ in range(60):  # more than there are worker threads
                group.start_soon(lambda: turns.run(small, size=100))
            await anyio.sleep(0.1)
            with anyio.fail_after(5):
                passed = await to_thread.run_sync(lambda: "passed")
            opened.set()
        return passed

    assert anyio.run(scenario) == "passed"
    assert most[0] == AT_ONCE


@pytest.mark.parametrize("size", [100, LARGE_BYTES + 1])
def test_a_full_queue_refuses_its_kind_and_empties_again(size: int):
    turns, opened = Turns(), threading.Event()

    async def scenario() -> str:
        async with anyio.create_task_group() as group:
            for _ in range(MAX_QUEUED):
                group.start_soon(lambda: turns.run(lambda: opened.wait(10), size=size))
            await anyio.sleep(0.1)
            with pytest.raises(TooManyAtOnce):
                await turns.run(lambda: None, size=size)
            opened.set()
        return await turns.run(lambda: "passed", size=size)

    assert anyio.run(scenario) == "passed"
