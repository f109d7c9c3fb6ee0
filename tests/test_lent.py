"""An application that is lent serves one bench at a time, and nothing of the one before."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from tests.lent import Lent


def _application(parts: Mapping[str, Any]) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    def read() -> str:
        return str(parts["bench"].name())

    return app


class Bench:
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name


def test_benches_in_use_at_once_have_two_applications_and_later_ones_use_them_again():
    lent = Lent(_application, ("bench",))
    one = lent.borrow({"bench": Bench("one")})
    two = lent.borrow({"bench": Bench("two")})
    assert one.app is not two.app
    assert [one.get("/").json(), two.get("/").json()] == ["one", "two"]
    first = one.app

    del one
    three = lent.borrow({"bench": Bench("three")})

    assert three.app is first
    assert [three.get("/").json(), two.get("/").json()] == ["three", "two"]


def test_a_part_that_is_missing_is_noticed():
    with pytest.raises(AssertionError):
        Lent(_application, ("bench",)).borrow({})
