"""Photographs pages of a report, light and dark: script/screenshots calls it with the folder of the report and the one of pictures."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

# Without these a browser looks up its maker's hosts by itself; the report is its own page, in a container maybe root's.
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Which page is which picture, and how much of it is seen. A picture of two colours belongs to README.
PICTURES = {
    "report-light": ("index.html", "light", 1000),
    "report-dark": ("index.html", "dark", 1000),
    "report-habits": ("habits.html", "light", 900),
    "report-relationships": ("relationships.html", "light", 900),
    "report-health": ("health.html", "light", 900),
}
WIDTH = 1280
LARGEST = 250_000


def main(report: Path, pictures: Path) -> int:
    """Write every picture; 1 if one is larger than a page of documentation should load."""
    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser_path is None:
        print(
            "No Chromium was found. Install it (for example with apt-get install chromium).", file=sys.stderr
        )
        return 2
    pictures.mkdir(exist_ok=True)
    too_large = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        for name, (page_name, colours, height) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": WIDTH, "height": height},
                color_scheme="dark" if colours == "dark" else "light",
                # Charts are drawn at once, and not by and by.
                reduced_motion="reduce",
            )
            page.goto((report / page_name).resolve().as_uri(), wait_until="load")
            page.wait_for_function("document.fonts.ready.then(() => true)")
            target = pictures / f"{name}.png"
            target.write_bytes(page.screenshot(animations="disabled"))
            target.chmod(0o644)
            page.close()
            if target.stat().st_size > LARGEST:
                too_large.append(
                    f"{target} has {target.stat().st_size:,} bytes, and {LARGEST:,} is the most."
                )
        browser.close()
    print("\n".join(too_large or [f"{len(PICTURES)} pictures are in {pictures}."]))
    return 1 if too_large else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
