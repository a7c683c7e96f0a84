"""What the web tests share: the app in this process (`client`), and the site served to a Chromium (`site`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from onstudy.faces.web.app import create_app
from onstudy.faces.web.stock import Stock
from onstudy.registry.importing import import_records
from onstudy.registry.store import in_memory

#: The day it is for every page, so that "older than 90 days" stays what it is.
TODAY = date(2026, 5, 20)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="session")
def stock() -> Iterator[Stock]:
    """The trials that ship, on a fixed day."""
    registry = in_memory()
    import_records(registry, [])
    yield Stock(registry, today=lambda: TODAY)
    registry.close()


@pytest.fixture
def client(stock: Stock) -> Iterator[TestClient]:
    """The site in this process, without a browser."""
    with TestClient(create_app(stock), base_url="http://127.0.0.1", follow_redirects=False) as asking:
        yield asking


# In a browser ---------------------------------------------------------------------------------------------


@dataclass
class Visit:
    """A page as opened: what it asked for, and what the browser complained of, meanwhile."""

    page: Page
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@dataclass
class Site:
    """The site on 127.0.0.1 and a browser to look at it. `visit` opens a page in a context of its own."""

    address: str
    browser: Browser
    axe: Path
    contexts: list[BrowserContext] = field(default_factory=list)

    def visit(self, path: str = "/", width: int = 1280, javascript: bool = True, **options: Any) -> Visit:
        """Open a page; `options` are Playwright's for a context."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=javascript, **options
        )
        self.contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("console", lambda message: visit.messages.append(message.text))
        visit.page.on("pageerror", lambda error: visit.messages.append(str(error)))
        visit.page.goto(self.address + path)
        return visit

    def faults(self, page: Page) -> list[str]:
        """What axe-core finds wrong with a page by WCAG 2.2 AA. The page needs JavaScript for that."""
        page.evaluate(self.axe.read_text(encoding="utf-8"))
        found = page.evaluate("rules => axe.run(document, {runOnly: rules})", WCAG)
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def overflow(self, page: Page) -> int:
        """By how many pixels a page is wider than its window; 0 where nobody must scroll sideways."""
        return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def only_here(self, visit: Visit) -> bool:
        """Whether every request of a visit went to the site itself."""
        return all(url.startswith((self.address, "data:")) for url in visit.requests)


def follow(button: Locator) -> None:
    """Press what leads to another page, and wait until the whole of that page is there.

    A click by itself waits only until the next page begins: its title and its form may not have arrived.
    """
    with button.page.expect_navigation():
        button.click()


@pytest.fixture(scope="session")
def address(stock: Stock) -> Iterator[str]:
    """The site served on 127.0.0.1, on a port of its own."""
    with served(create_app(stock)) as where:
        yield where


class served:
    """Serve an app in a thread for as long as the block runs; gives its address."""

    def __init__(self, app: Any) -> None:
        self.server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws="none"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        until = time.monotonic() + 20
        while not self.server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(20)


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def site(address: str, browser: Browser, axe_core: Path) -> Iterator[Site]:
    """The site in a browser. Mark such tests `browser` and `xdist_group("browser")`."""
    found = Site(address, browser, axe_core)
    yield found
    for context in found.contexts:
        context.close()


@pytest.fixture
def site_of(browser: Browser, axe_core: Path) -> Iterator[Callable[[Stock], Site]]:
    """As `site`, of another stock."""
    running: list[served] = []
    sites: list[Site] = []

    def start(stock: Stock) -> Site:
        running.append(served(create_app(stock)))
        sites.append(Site(running[-1].__enter__(), browser, axe_core))
        return sites[-1]

    yield start
    for one in sites:
        for context in one.contexts:
            context.close()
    for server in running:
        server.__exit__()
