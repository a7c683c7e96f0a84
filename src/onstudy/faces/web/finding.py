"""The search pages: the start page, the results with their facets, trials chosen for print, the table to download."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from onstudy.errors import OnstudyError
from onstudy.faces.web.asked import DISTANCES, FACETS, Asked, asked, chosen_words, suggestion
from onstudy.faces.web.pages import render
from onstudy.faces.web.stock import Stock, Stocked
from onstudy.registry.results import FACET_TITLES, facet_words, to_csv
from onstudy.registry.search import LARGEST_PAGE, Results, search

router = APIRouter(include_in_schema=False)

#: Values of a facet shown at once; the others are a click away.
_SHOWN = 6
#: Trials that can be chosen for print.
_PRINTED = 100


@router.get("/")
def start(request: Request, stock: Stocked) -> HTMLResponse:
    """The start page."""
    return render(request, "start.html", search=asked(request.query_params, stock.registry), distances=DISTANCES)


@router.get("/trials")
def trials(request: Request, stock: Stocked) -> HTMLResponse:
    """The trials that meet a search."""
    wanted = asked(request.query_params, stock.registry)
    found = _find(stock, wanted)
    if wanted.query.page > found.pages:
        wanted = replace(wanted, query=replace(wanted.query, page=found.pages))
        found = _find(stock, wanted)
    page = render(request, "trials.html", **_page(wanted, found))
    page.headers["HX-Push-Url"] = wanted.address()  # the same address, without fields that were left empty
    return page


def _find(stock: Stock, wanted: Asked) -> Results:
    max_age = stock.max_age if wanted.max_age is None else wanted.max_age
    return search(stock.registry, wanted.query, stock.today(), max_age)


def _page(wanted: Asked, found: Results) -> dict[str, Any]:
    facets = [
        (name, FACET_TITLES[name], _options(name, found.facets[name], wanted.facets.get(name, ()))) for name in FACETS
    ]
    words = {value: label for _, _, options in facets for value, label, _, _ in options}
    return {
        "search": wanted,
        "found": found,
        "facets": facets,
        "shown": _SHOWN,
        "distances": DISTANCES,
        "chosen": list(chosen_words(wanted, words)),
        "suggested": suggestion(wanted) if not found.total else None,
        "pages": _pages(found.page, found.pages),
        "most": LARGEST_PAGE,
    }


def _options(
    name: str, counts: tuple[tuple[str, int], ...], chosen: tuple[str, ...]
) -> list[tuple[str, str, int, bool]]:
    """(value, words, trials, chosen), the chosen first; one that was chosen stays though nothing has it."""
    known = dict(counts)
    options = [(value, facet_words(name, value), known.get(value, 0), True) for value in chosen]
    return options + [(value, facet_words(name, value), n, False) for value, n in counts if value not in chosen]


def _pages(page: int, pages: int) -> list[int]:
    """The pages to link to: first, last, and those around; 0 where some are left out."""
    near = sorted({1, pages, *range(max(1, page - 1), min(pages, page + 1) + 1)})
    found: list[int] = []
    for one in near:
        if found and one - found[-1] > 1:
            found.append(one - 1 if one - found[-1] == 2 else 0)
        found.append(one)
    return found


@router.get("/trials/selected")
def selected(request: Request, stock: Stocked) -> HTMLResponse:
    """Trials that somebody ticked, one below the other, to print."""
    wanted = asked(request.query_params, stock.registry, size=_PRINTED)
    if not wanted.query.ids:
        raise OnstudyError("No trial is selected. Go back, tick the boxes of the trials you want, and try again.")
    return render(request, "selected.html", search=wanted, found=_find(stock, wanted))


@router.get("/trials.csv")
def table(request: Request, stock: Stocked) -> Response:
    """The trials of a search as a table, up to 1000 of them."""
    wanted = asked(request.query_params, stock.registry, size=LARGEST_PAGE)
    found = _find(stock, replace(wanted, query=replace(wanted.query, page=1)))
    headers = {"Content-Disposition": 'attachment; filename="trials.csv"'}
    return Response("\ufeff" + to_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
