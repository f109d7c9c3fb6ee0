"""Large requests wait for each other, and small ones for none of them."""

import threading

import anyio

from identity.turns import LARGE_AT_ONCE, LARGE_BYTES, Turns


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
