"""The site as one application: pages, REST API, static files, and what guards them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import ASGIApp

from onstudy.faces.web import about, api_page, assets, coordinator, failures, finding, questionnaire, rest, trialpage
from onstudy.faces.web.safety import LOOPBACK, Limits, guarded
from onstudy.faces.web.stock import Stock

API = "/api/onstudy/v1"


def create_api(stock: Stock) -> FastAPI:
    """All routes, unguarded; its `openapi()` documents the REST API."""
    app = FastAPI(
        title="onstudy",
        version=version("onstudy"),
        description="Find trials, and ask their criteria of a patient. Not medical advice.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # these pages would fetch scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.stock = stock
    for part in (assets, about, api_page, finding, trialpage, questionnaire, coordinator, rest):
        app.include_router(part.router)
    failures.install(app)
    return app


def create_app(stock: Stock, limits: Limits | None = None, hosts: Iterable[str] = LOOPBACK) -> ASGIApp:
    """The site, guarded. `hosts` are the names it answers to; none means any."""
    return guarded(create_api(stock), limits or Limits(), hosts)
