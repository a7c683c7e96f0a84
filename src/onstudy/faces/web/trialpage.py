"""The page of a trial: the registry record, what editors wrote, the criteria, the sites nearest first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from onstudy.criteria.trial import Criterion, Trial
from onstudy.errors import OnstudyError
from onstudy.faces.web.asked import place_of
from onstudy.faces.web.drawing import marks, pin
from onstudy.faces.web.listing import person, rows
from onstudy.faces.web.pages import first_upper, part, render
from onstudy.faces.web.prose import Words, data_block
from onstudy.faces.web.stock import Stock, Stocked
from onstudy.faces.web.turns import in_turn
from onstudy.registry.cartography import Chart, chart_of
from onstudy.registry.editorial import Editorial, editorial_of
from onstudy.registry.geography import CityUnknown, Origin
from onstudy.registry.nearness import origin_of
from onstudy.registry.outline import outline
from onstudy.registry.page import TrialPage, page_of
from onstudy.registry.places import Places, places_of
from onstudy.registry.present import sites_sentence
from onstudy.registry.record import NCT_ID
from onstudy.registry.status import CANNOT, standing_of

router = APIRouter(include_in_schema=False)
#: Sites shown before somebody asks for all.
SITES = 20


@dataclass(frozen=True, slots=True)
class Where:
    """What somebody asked of the sites: their place, a country, a state, all sites; what was wrong with the place."""

    zip: str
    country: str
    state: str
    everything: bool
    origin: Origin | None
    error: str
    cities: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """The place as the parameters of a search."""
        return f"?{urlencode({'zip': self.zip})}" if self.origin is not None else ""

    def address(self, nct_id: str, **changes: object) -> str:
        """The address of the page that shows the sites so, in one fixed order."""
        given = {
            "zip": self.zip,
            "country": self.country,
            "state": self.state,
            "sites": "all" if self.everything else "",
        }
        pairs = {name: value for name, value in {**given, **changes}.items() if value}
        return f"/trials/{nct_id}{'?' if pairs else ''}{urlencode(pairs)}"


@router.get("/trials/{nct_id}", response_model=None)
@in_turn
def trial(nct_id: str, request: Request, stock: Stocked) -> Response:
    """One trial."""
    id = nct_id.strip().upper()
    if not NCT_ID.fullmatch(id):
        raise HTTPException(404, "A trial's page is named by its id, NCT and eight digits, such as NCT03739814.")
    if id != nct_id:
        return RedirectResponse(f"/trials/{id}", 308)
    parts = stock.keep(("trial", id), lambda: _parts(stock, id))
    if parts is None:
        raise HTTPException(404, f"{id} is not in this registry. ClinicalTrials.gov may have it.")
    if request.query_params or _searched(request):
        return _page(request, stock, parts)
    body = stock.keep(("page", id, stock.today(), _home(request, stock)), lambda: _page(request, stock, parts).body)
    return HTMLResponse(bytes(body))


def _searched(request: Request) -> str:
    """The search somebody came from, as an address of this site; empty where they came from elsewhere."""
    came = urlsplit(request.headers.get("referer", "")[:8_000])
    here = came.netloc == request.url.netloc and came.path == "/trials" and came.query
    return f"/trials?{came.query}" if here else ""


def _home(request: Request, stock: Stock) -> str:
    """The site's own address, as it stands in links that leave it."""
    return stock.address or str(request.base_url).rstrip("/")


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a page is the same for whoever asks."""

    page: TrialPage
    file: Trial | None
    editorial: Editorial | None
    eligibility: Markup
    description: Markup


def _parts(stock: Stock, id: str) -> Parts | None:
    raw = stock.registry.original(id)
    if raw is None:
        return None
    page = page_of(raw, stock.registry.origin(id))
    file = stock.trial(id)
    words = Words()
    groups = _groups(file, words) if file else []
    criteria = words.blocks(page.criteria)
    description = words.blocks(outline(page.details.description))
    eligibility = part(
        "parts/eligibility.html", groups=groups, criteria=criteria, cut=page.criteria_cut, link=page.link,
        glossary=words.found,
    )  # fmt: skip
    return Parts(page, file, editorial_of(file) if file else None, eligibility, description)


def _page(request: Request, stock: Stock, parts: Parts) -> HTMLResponse:
    page, file, editorial = parts.page, parts.file, parts.editorial
    record, details, where = page.record, page.details, _where(request, stock)
    places = places_of(
        record,
        page.sites,
        details.site_contacts,
        stock.today(),
        stock.max_age,
        where.origin,
        where.country,
        where.state,
    )
    address = f"{_home(request, stock)}/trials/{record.nct_id}"
    chart, drawn = stock.keep(("map", record.nct_id, stock.today(), where.country, where.state), lambda: _map(places))
    response = render(
        request,
        "trial.html",
        page=page,
        record=record,
        details=details,
        status_words=page.status_words(stock.today(), stock.max_age),
        closed=standing_of(record.status) == CANNOT,
        editorial=editorial,
        file=file,
        person=person,
        rows=rows,
        eligibility=parts.eligibility,
        description=parts.description,
        plan=bool(file and (file.later.get("regimen") or file.later.get("schedule") or (editorial and editorial.plan))),
        where=where,
        places=places,
        countries=_choices("All countries", places.countries),
        states=_choices("All states and regions", places.states),
        what=_what(places, where),
        shown=places.chosen if where.everything else places.chosen[:SITES],
        sites_sentence=sites_sentence(record),
        chart=chart,
        marks=drawn,
        pin=pin(chart, where.origin.lat, where.origin.lon) if chart and where.origin else "",
        address=address,
        back=_searched(request) or f"/trials{where.suffix}",
        mail=_mail(page.title, address),
        schema=stock.keep(
            ("schema", address, stock.today()),
            lambda: data_block(page.schema_org(address, stock.today(), stock.max_age)),
        ),
    )
    response.headers["HX-Push-Url"] = where.address(record.nct_id)
    return response


def _map(places: Places) -> tuple[Chart | None, Markup]:
    chart = chart_of(places.chosen)
    return chart, marks(chart) if chart else Markup("")


def _choices(everything: str, counted: tuple[tuple[str, int], ...]) -> list[tuple[str, str]]:
    return [("", everything), *((name, f"{name} ({count})") for name, count in counted)]


def _what(places: Places, where: Where) -> str:
    """What a map shows, for those who do not see it."""
    inside = where.state or where.country
    count = len(places.chosen)
    return f"{count:,} {'site' if count == 1 else 'sites'} of this trial{f' in {inside}' if inside else ''}"


def _where(request: Request, stock: Stock) -> Where:
    params = request.query_params
    place, error = place_of(params)
    origin = None
    cities: tuple[str, ...] = ()
    if place and not error:
        try:
            origin = origin_of(stock.registry, place)
        except OnstudyError as problem:
            error = first_upper(str(problem))
            if isinstance(problem, CityUnknown) and problem.choices:
                cities = problem.choices
                error = f"Sites lie in {len(cities)} cities of that name: choose one, or give a ZIP code."
    country, state = params.get("country", "")[:200], params.get("state", "")[:200]
    return Where(place, country, state, params.get("sites") == "all", origin, error, cities)


@dataclass(frozen=True, slots=True)
class Row:
    """One criterion of a trial file, as a page shows it."""

    id: str
    text: Markup
    severity: str
    note: str
    rule: str


@dataclass(frozen=True, slots=True)
class Group:
    """A step or a cohort with its criteria."""

    kind: str
    id: str
    title: str
    rows: tuple[Row, ...]


def _groups(file: Trial, words: Words) -> list[Group]:
    return [
        *(Group("Step", one.id, one.title, _rows(one.criteria, words)) for one in file.steps),
        *(Group("Cohort", one.id, one.title, _rows(one.criteria, words)) for one in file.cohorts),
    ]


def _rows(criteria: tuple[Criterion, ...], words: Words) -> tuple[Row, ...]:
    return tuple(
        Row(one.id, words.blocks(outline(one.text)), one.severity.value, one.note, one.rule_text) for one in criteria
    )


def _mail(title: str, address: str) -> str:
    """A link that begins an e-mail with the page's address; whom it goes to is for the sender."""
    return f"mailto:?subject={quote(title)}&body={quote(address)}"
