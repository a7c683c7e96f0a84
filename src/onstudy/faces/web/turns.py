"""Pages of the registry are made one after the other, in one thread.

The store answers one question at a time, and threads of one process share the processor: several at once made a page
dearer by a quarter and the slowest of a hundred twice as slow. What takes long (screening) has threads of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from onstudy.faces.web.stock import Stock

_Given = ParamSpec("_Given")
_Page = TypeVar("_Page")


def in_turn(page: Callable[_Given, _Page]) -> Callable[_Given, Awaitable[_Page]]:
    """An endpoint, one of whose parameters is `stock`, that waits for those asked for before it."""

    @wraps(page)
    async def waiting(*given: _Given.args, **named: _Given.kwargs) -> _Page:
        stock = named["stock"]
        assert isinstance(stock, Stock)
        return await asyncio.get_running_loop().run_in_executor(stock.thread, partial(page, *given, **named))

    return waiting
