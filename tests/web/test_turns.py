"""Pages of the registry are made one after the other, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from onstudy.faces.web.stock import Stock
from onstudy.faces.web.turns import in_turn
from onstudy.registry.store import in_memory


def run(ask: Callable[[], Coroutine[Any, Any, object]]) -> object:
    """What is answered, in a loop and a thread of its own: tests with a browser leave a loop running in this one."""
    with ThreadPoolExecutor(1) as own:
        return own.submit(lambda: asyncio.run(ask())).result(30)


def test_pages_are_made_one_at_a_time_in_the_order_they_were_asked_for() -> None:
    begun: list[int] = []
    ended: list[int] = []

    @in_turn
    def page(number: int, stock: Stock) -> int:
        begun.append(number)
        time.sleep(0.002)
        ended.append(number)
        assert begun == ended
        return number

    async def ask() -> list[int]:
        stock = Stock(in_memory())
        return await asyncio.gather(*(page(number=number, stock=stock) for number in range(8)))

    assert run(ask) == begun == list(range(8))


def test_a_page_that_is_being_made_holds_up_nothing_else() -> None:
    go_on = Event()

    @in_turn
    def page(stock: Stock) -> bool:
        return go_on.wait(10)

    async def ask() -> bool:
        waiting = asyncio.ensure_future(page(stock=Stock(in_memory())))
        await asyncio.sleep(0.01)
        go_on.set()  # only a loop that is free gets here
        return await waiting

    assert run(ask)
