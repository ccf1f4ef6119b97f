"""A fake API for all that only read, and one of its own for each test that changes something."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.serving import fake_api
from tests.sandbox.google.account import Account

TODAY = "2026-03-15"


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The default sample, which nobody changes."""
    with fake_api("google", tmp_path_factory.mktemp("google"), None, "--today", TODAY) as served:
        yield Account(served)


@pytest.fixture
def start() -> Iterator[Callable[..., Account]]:
    """Start an account on a folder, with arguments; it ends with the test."""
    with ExitStack() as stack:

        def started(folder: Path, *arguments: str) -> Account:
            sizes = ("--contacts", "30", "--today", TODAY)
            return Account(stack.enter_context(fake_api("google", folder, None, *sizes, *arguments)))

        yield started
