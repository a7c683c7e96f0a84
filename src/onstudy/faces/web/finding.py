"""The search pages: the start page, the results with their facets, trials chosen for print, the table to download."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from onstudy.faces.web.asked import DISTANCES, FACETS, SIZE, TICKED, Asked, asked, chosen_words
from onstudy.faces.web.listing import choices, hits
from onstudy.faces.web.meant import meant, sponsored
from onstudy.faces.web.pages import render
from onstudy.faces.web.stock import Stock, Stocked
from onstudy.faces.web.turns import in_turn
from onstudy.registry.query import Query
from onstudy.registry.results import FACET_TITLES, facet_words, to_csv
from onstudy.registry.search import LARGEST_PAGE, Results, count, search
from onstudy.registry.words import LONGEST

router = APIRouter(include_in_schema=False)

#: Values of a facet shown at once; the others are a click away.
_SHOWN = 6
#: Where words find no more trials than these, it is told whether they are the name of a sponsor.
_FEW = 5


@router.get("/")
@in_turn
def start(request: Request, stock: Stocked) -> HTMLResponse:
    """The start page."""
    wanted = asked(request.query_params, stock.registry)
    return render(request, "start.html", search=wanted, distances=DISTANCES, longest=LONGEST)


@router.get("/trials")
@in_turn
def trials(request: Request, stock: Stocked) -> HTMLResponse:
    """The trials that meet a search."""
    return _results(request, stock, asked(request.query_params, stock.registry))


def _results(request: Request, stock: Stock, wanted: Asked, status: int = 200) -> HTMLResponse:
    found = _find(stock, wanted)
    if wanted.query.page > found.pages:
        wanted = replace(wanted, query=replace(wanted.query, page=found.pages))
        found = _find(stock, wanted)
    page = render(request, "trials.html", status, **_page(stock, wanted, found))
    page.headers["HX-Push-Url"] = wanted.address()  # the same address, without fields that were left empty
    return page


def _find(stock: Stock, wanted: Asked) -> Results:
    max_age = stock.max_age if wanted.max_age is None else wanted.max_age
    return search(stock.registry, wanted.query, stock.today(), max_age)


def _page(stock: Stock, wanted: Asked, found: Results) -> dict[str, Any]:
    def having(query: Query) -> int:
        return count(stock.registry, query, stock.today())

    facets = [
        (name, FACET_TITLES[name], _options(name, found.facets[name], wanted.facets.get(name, ()))) for name in FACETS
    ]
    words = {value: label for _, _, options in facets for value, label, _, _ in options}
    chosen = list(chosen_words(wanted, words))
    of_sponsor = sponsored(wanted, having) if found.total <= _FEW else None
    return {
        "about": ", ".join(said.removeprefix("Words: ") for said, _ in chosen)[:LONGEST],
        "search": wanted,
        "found": found,
        "facets": facets,
        "choices": choices,
        "hits": hits,
        "shown": _SHOWN,
        "distances": DISTANCES,
        "chosen": chosen,
        "suggested": None if found.total or found.beyond else meant(wanted, stock.registry, having),
        "sponsored": of_sponsor if of_sponsor and of_sponsor.trials > found.total else None,
        "ticked_elsewhere": [one for one in wanted.ticks if one not in {hit.nct_id for hit in found.hits}],
        "longest": LONGEST,
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
@in_turn
def selected(request: Request, stock: Stocked) -> HTMLResponse:
    """Trials that somebody ticked, one below the other, to print."""
    wanted = asked(request.query_params, stock.registry)
    ids = wanted.ticks or wanted.query.ids
    if not ids:
        errors = {**wanted.errors, "count": "Tick the boxes of the trials that you want to print, then print again."}
        return _results(request, stock, replace(wanted, errors=errors), 422)
    query = Query(ids=ids, origin=wanted.query.origin, size=max(len(ids), TICKED))
    found = _find(stock, replace(wanted, query=query))
    listed = hits(found.hits, wanted, tick=False, level=2, link=True)
    return render(request, "selected.html", search=wanted, found=found, listed=listed)


@router.get("/trials.csv")
@in_turn
def table(request: Request, stock: Stocked) -> Response:
    """The trials of a search as a table, up to 1000 of them; what cannot be used is told on the page, not left out."""
    wanted = asked(request.query_params, stock.registry, size=LARGEST_PAGE)
    if wanted.errors:
        return _results(request, stock, replace(wanted, query=replace(wanted.query, size=SIZE)), 422)
    found = _find(stock, replace(wanted, query=replace(wanted.query, page=1)))
    headers = {"Content-Disposition": 'attachment; filename="trials.csv"'}
    return Response("\ufeff" + to_csv(found), media_type="text/csv; charset=utf-8", headers=headers)
