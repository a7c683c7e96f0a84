"""Pages about the site itself, the health endpoint, and what browsers and crawlers ask for unbidden."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse

from onstudy.faces.web.assets import assets
from onstudy.faces.web.pages import render
from onstudy.faces.web.stock import Stocked
from onstudy.faces.web.turns import in_turn

router = APIRouter(include_in_schema=False)


@router.get("/about")
@in_turn
def about(request: Request, stock: Stocked) -> HTMLResponse:
    """What this is, where its records come from, and what it keeps."""
    return render(request, "about.html")


@router.get("/health")
@in_turn
def health(stock: Stocked) -> JSONResponse:
    """Whether the site can answer: the registry is asked a question."""
    stock.registry.state()
    return JSONResponse({"status": "ok", "trials": stock.counts.trials})


@router.get("/favicon.ico")
async def icon() -> Response:
    """The site's sign, for what asks for it by this name and not by that of the pages."""
    asset = assets()["onstudy.svg"]
    return Response(asset.plain, media_type=asset.type, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/robots.txt")
async def robots() -> PlainTextResponse:
    """Everything may be looked at: pages show public records alone."""
    return PlainTextResponse("User-agent: *\nAllow: /\n", headers={"Cache-Control": "public, max-age=86400"})


async def without_slash(request: Request) -> RedirectResponse:
    """To the same page by its own address, within this site."""
    query = request.url.query
    return RedirectResponse(f"{quote(request.scope['path'].rstrip('/'))}{'?' if query else ''}{query}", 308)


for _page in ("/trials", "/trials/{nct_id}", "/trials/{nct_id}/questions", "/coordinator", "/about", "/health"):
    router.add_api_route(f"{_page}/", without_slash, methods=["GET"])
