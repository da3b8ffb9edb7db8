"""What the tests of the studio share: a desk with a random model, a client that talks to it, pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from serving import ARGS, Client, chromium, serving, toy_desk
from tab import Page

from dragkit import Editor
from dragkit.model import StableDiffusion
from dragkit.studio.desk import Desk, Settings
from tiny import SIZE


@pytest.fixture
def picture() -> np.ndarray:
    """A picture [48, 64, 3] with a red disc on grey."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    pixels = np.full((SIZE[1], SIZE[0], 3), 140, np.uint8)
    pixels[(x - 20) ** 2 + (y - 24) ** 2 < 80] = (210, 40, 30)
    return pixels


@pytest.fixture
def desk(tiny: StableDiffusion) -> Iterator[Desk]:
    made = Desk(Settings(models=("tiny",), queue=2, cache=2**30, max_side=256), load=lambda _: Editor(tiny))
    yield made
    made.line.close()


@pytest.fixture
def client(desk: Desk) -> Client:
    return Client(desk)


@pytest.fixture(scope="package")
def address() -> Iterator[str]:
    with serving(toy_desk()) as found:
        yield found


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(playwright), args=ARGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    opened = Page(browser, address)
    yield opened
    opened.close()
