"""What the pictures of the shop and of the gallery share: a demo that runs, and pages of its people."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from make_pictures import FOLDER
from playwright.sync_api import Browser, Page, sync_playwright

_PROGRAM = (sys.executable, "-m", "bookshelf")
WIDE, PHONE = (1280, 900), (390, 844)


class DemoSite(NamedTuple):
    """A running demo: its address, the path of its site, and the people that can sign in."""

    url: str
    path: str
    people: Mapping[str, Mapping[str, str]]

    def signed_in(
        self, browser: Browser, person: str, size: tuple[int, int] = WIDE, theme: str = "light"
    ) -> Page:
        """Return the first page of the site, for a person that has signed in."""
        page = new_page(browser, size, theme)
        page.goto(f"{self.url}/account/sign-in?next={self.path}")
        page.locator("input[name=login]").fill(self.people[person]["login"])
        page.locator("input[type=password]").fill(self.people[person]["password"])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: urlsplit(url).path == self.path)
        return page


@contextmanager
def demo_site(name: str, path: str, data: Path) -> Iterator[DemoSite]:
    """Fill a folder by `bookshelf demo NAME`, and run it with accounts until the block ends."""
    made = subprocess.run(  # noqa: S603 (our own program)
        [*_PROGRAM, "demo", name, "--json", "--data", data], check=True, capture_output=True
    )
    people: dict[str, Any] = msgspec.json.decode(made.stdout)
    command = [*_PROGRAM, "up", "--data", str(data), "--port", "0", "--service-ports", "auto"]
    env = {**os.environ, "BOOKSHELF_ACCOUNTS": "on"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as up:  # noqa: S603 (as above)
        assert up.stdout is not None  # noqa: S101 (it is a pipe)
        url = up.stdout.readline().split()[-1].rstrip("/")
        try:
            yield DemoSite(url, path, people)
        finally:
            up.terminate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser until the block ends; the folder of pictures is there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def new_page(browser: Browser, size: tuple[int, int], theme: str = "light") -> Page:
    """Return an empty page of a person of its own."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=2 if size == PHONE else 1,
        locale="en-GB",
        reduced_motion="reduce",
    )
    return context.new_page()
