"""A pytest plugin that is loaded before the settings: tests use private servers, for as long as the session lasts."""

from __future__ import annotations

import os

os.environ.setdefault("MAWARU_TESTING", "1")

import pytest

from config import embedded


def pytest_configure(config: pytest.Config) -> None:
    if not os.environ.get("DATABASE_URL"):
        config.stash[USERS] = embedded.join()


def pytest_unconfigure(config: pytest.Config) -> None:
    users = config.stash.get(USERS, None)
    if users is not None:
        embedded.leave(users)


USERS = pytest.StashKey[int]()
