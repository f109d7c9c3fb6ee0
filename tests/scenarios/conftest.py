"""Installations for stories: one that everybody shares, and new ones for those who break things."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.installation import Installation

MakeInstallation = Callable[..., Installation]


@pytest.fixture(scope="session", autouse=True)
def bytecode() -> Iterator[None]:
    """Processes keep compiled modules where Python does: a restart is not a compilation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demonstration installation; whoever uses it takes a person of her own."""
    installation = Installation(tmp_path_factory.mktemp("shared"))
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture(scope="module")
def make_installation(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakeInstallation]:
    """Makes installations that the module may stop, kill and damage; none of them started."""
    made: list[Installation] = []

    def make(folder: Path | None = None, **options: Any) -> Installation:
        installation = Installation(folder or tmp_path_factory.mktemp("installation"), **options)
        made.append(installation)
        return installation

    try:
        yield make
    finally:
        for installation in made:
            installation.close()
