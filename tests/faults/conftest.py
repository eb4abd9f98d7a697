"""Knowledge bases that fault tests start from, each made once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.places import make_place


@pytest.fixture(scope="session")
def small_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("small"), 24)


@pytest.fixture
def small(small_made: Path, tmp_path: Path) -> Path:
    """A place with two dozen articles that a test may break."""
    return Path(shutil.copytree(small_made, tmp_path / "small"))


@pytest.fixture(scope="session")
def middle_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("middle"), 200)


@pytest.fixture
def middle(middle_made: Path, tmp_path: Path) -> Path:
    """A place with 200 articles that a test may break."""
    return Path(shutil.copytree(middle_made, tmp_path / "middle"))
