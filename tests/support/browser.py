"""A headless Chromium, as the machine has it: pages are looked at as people see them.

The driver's own downloads are not used, so a browser of the system is needed: Debian's package `chromium`, or Chrome.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without these a browser looks up its maker's hosts by itself.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # The tests' own pages, in a container whose only user may be root.
    "--no-sandbox",
)


def executable() -> str:
    """The browser's program; skips the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(
            "no Chromium was found. Install it (for example with apt-get install chromium) to look at pages."
        )
    return found


@contextmanager
def running(*arguments: str) -> Iterator[Browser]:
    """A browser that ends with the block; `arguments` are Chromium's own."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=[*QUIET, *arguments])
        try:
            yield browser
        finally:
            browser.close()
