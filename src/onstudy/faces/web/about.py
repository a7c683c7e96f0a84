"""Pages about the site itself, and the health endpoint."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

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
