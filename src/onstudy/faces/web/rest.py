"""The REST API: screen a patient, find trials, look at one. Its OpenAPI document is at /api/onstudy/v1/openapi.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.exceptions import HTTPException

from onstudy.criteria.trial import Criterion, Trial
from onstudy.errors import OnstudyError
from onstudy.faces.web.failures import API_PROBLEMS
from onstudy.faces.web.rest_models import TRIAL_ID, Ask, Found, Screened, Search, Sort, TrialList, TrialPage
from onstudy.faces.web.stock import Stock, stock_of
from onstudy.faces.web.turns import in_turn
from onstudy.readers import read_patients
from onstudy.record.absence import assumable
from onstudy.record.patient import Patient
from onstudy.registry import results
from onstudy.registry.geography import CityUnknown, Origin, ZipOutsideCoverage, ZipUnknown, zip_origin
from onstudy.registry.nearness import city_origin
from onstudy.registry.record import read_record
from onstudy.registry.search import Query as Sought
from onstudy.registry.search import search
from onstudy.registry.store import facet_values
from onstudy.screening.screen import screen
from onstudy.values.calendar import DateError, When, parse_when

router = APIRouter(prefix="/api/onstudy/v1", tags=["onstudy"], responses=API_PROBLEMS)
Stocked = Annotated[Stock, Depends(stock_of)]
_T = TypeVar("_T")


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


# Screening ------------------------------------------------------------------------------------------------


@router.post("/screen", response_model=list[Screened], summary="Screen the patients of a record for a trial")
def screen_record(ask: Ask, stock: Stocked) -> Response:
    """One object for each patient of the record, in its order. The record is used for this answer and not kept."""
    trial = stock.trial(ask.trial)
    if trial is None:
        raise HTTPException(404, "There is no trial file of that id; GET /api/onstudy/v1/trials lists those there are.")
    wrong: list[str] = []
    patients = _tried(wrong, lambda: read_patients("patient", _bytes(ask.patient), stock.catalogue))
    anchors = _anchors(ask, trial, wrong)
    _tried(wrong, lambda: assumable(ask.assume_complete, stock.catalogue))
    if patients is None or wrong:
        raise OnstudyError("\n".join(dict.fromkeys(wrong)))
    found = [_screened(ask, trial, patient, anchors, stock) for patient in patients]
    return _json(f"[{','.join(found)}]")


def _screened(ask: Ask, trial: Trial, patient: Patient, anchors: dict[str, When], stock: Stock) -> str:
    """One patient's screening as JSON. Raises `OnstudyError` for dates that cannot be."""
    return screen(
        trial,
        patient,
        ask.on or stock.today(),
        anchors=anchors,
        until=ask.until,
        assume_complete=ask.assume_complete,
        catalogue=stock.catalogue,
    ).to_json()


def _bytes(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _tried(wrong: list[str], work: Callable[[], _T]) -> _T | None:
    """What some work gives; what keeps it from being done is noted."""
    try:
        return work()
    except OnstudyError as error:
        wrong.append(str(error))
        return None


def _anchors(ask: Ask, trial: Trial, wrong: list[str]) -> dict[str, When]:
    given = {**ask.anchors, **({"therapy_start": ask.therapy_start} if ask.therapy_start else {})}
    names = [name for name in trial.anchors if name != "registration"]
    found = {}
    for name, text in given.items():
        if name not in names:
            wrong.append(f"anchors: this trial has {', '.join(names) or 'none but registration'}")
            continue
        try:
            found[name] = parse_when(text)
        except DateError:
            wrong.append(f"anchors: {name} is no date and time there is; write YYYY-MM-DD or YYYY-MM-DDThh:mm")
    return found


# Finding --------------------------------------------------------------------------------------------------


@router.get("/find", response_model=Found, summary="Find trials", response_model_exclude_none=False)
@in_turn
def find(asked: Annotated[Search, Query()], stock: Stocked) -> Response:
    """A page of trials, those that can enrol first; a status is a statement with a date."""
    wrong: list[str] = []
    missing: list[str] = []
    origin = _found(missing, lambda: _origin(asked, stock))
    if asked.zip and asked.city:
        wrong.append("zip, city: both name a place to measure from; give one of them")
    if not asked.zip and not asked.city:
        for name, given in (("within", asked.within is not None), ("sort=distance", asked.sort is Sort.DISTANCE)):
            if given:
                wrong.append(f"{name}: needs a place to measure from; give zip or city as well")
    countries = _found(missing, lambda: _countries(asked.country, stock))
    if wrong:
        raise OnstudyError("\n".join([*wrong, *missing]))
    if missing:
        raise HTTPException(404, "\n".join(missing))
    facets = {
        "phase": tuple(phase.value_in_registry for phase in asked.phase),
        "status": tuple(status.value.upper() for status in asked.status),
        "type": tuple(type_.value.upper() for type_ in asked.type),
        "country": countries or (),
        "age_group": tuple(group.value.upper() for group in asked.age_group),
        "intervention_type": tuple(kind.value.upper() for kind in asked.intervention_type),
        "sponsor_class": tuple(kind.value.upper() for kind in asked.sponsor_class),
    }
    query = Sought(
        words=asked.words,
        condition=asked.condition,
        intervention=asked.intervention,
        sponsor=asked.sponsor,
        ids=tuple(asked.id),
        facets={name: values for name, values in facets.items() if values},
        age=asked.age,
        sex=asked.sex.value.upper() if asked.sex else "",
        origin=origin,
        within=asked.within,
        open_only=asked.open,
        sort=asked.sort.value,
        page=asked.page,
        size=asked.size,
    )
    max_age = stock.max_age if asked.status_age is None else asked.status_age
    return _json(results.to_json(search(stock.registry, query, stock.today(), max_age), asked.facets))


def _found(missing: list[str], look: Callable[[], _T]) -> _T | None:
    """What is looked up, None where there is no such thing; then it is noted."""
    try:
        return look()
    except (CityUnknown, ZipUnknown, ZipOutsideCoverage, CountryUnknown) as error:
        missing.append(str(error))
        return None


class CountryUnknown(OnstudyError):
    """A country in which no trial of the registry has a site."""


def _origin(asked: Search, stock: Stock) -> Origin | None:
    if asked.zip:
        return zip_origin(asked.zip)
    return city_origin(stock.registry, asked.city) if asked.city else None


def _countries(names: list[str], stock: Stock) -> tuple[str, ...]:
    if not names:
        return ()
    with stock.registry.snapshot() as db:
        known = {one.casefold(): one for one in facet_values(db, "country")}
    found = [known.get(name.strip().casefold()) for name in names]
    if None in found:
        raise CountryUnknown("country: no trial of this registry has a site in one of these countries")
    return tuple(name for name in found if name is not None)


# Trials ---------------------------------------------------------------------------------------------------


@router.get("/trials", response_model=TrialList, summary="The trials a patient can be screened for")
def trials(stock: Stocked) -> dict[str, Any]:
    """Every trial that has a trial file."""
    return {
        "trials": [
            {
                "nct_id": trial.id,
                "version": trial.version,
                "title": trial.title,
                "cohorts": [{"id": cohort.id, "title": cohort.title} for cohort in trial.cohorts],
                "criteria": len(trial.criteria),
            }
            for trial in stock.trials.values()
        ]
    }


@router.get("/trials/{nct_id}", response_model=TrialPage, summary="One trial")
def trial(nct_id: Annotated[str, Path(pattern=TRIAL_ID, examples=["NCT03739814"])], stock: Stocked) -> dict[str, Any]:
    """What the registry says of a trial, and its criteria where it has a trial file. 404 for one that is in neither."""
    raw, file = stock.registry.original(nct_id), stock.trial(nct_id)
    record = read_record(raw) if raw is not None else None
    if record is None and file is None:
        raise HTTPException(404, "This trial is not in the registry of this site, and has no trial file.")
    return {
        "nct_id": nct_id,
        "title": record.title if record is not None else file.title if file is not None else nct_id,
        "status": record.status if record is not None else None,
        "status_date": record.stated or None if record is not None else None,
        "phase": record.phase or None if record is not None else None,
        "link": results.link(nct_id),
        "trial_file": None if file is None else _file(file),
    }


def _file(trial: Trial) -> dict[str, Any]:
    return {
        "version": trial.version,
        "title": trial.title,
        "anchors": {name: point.label for name, point in trial.anchors.items()},
        "steps": [{"id": step.id, "title": step.title} for step in trial.steps],
        "cohorts": [{"id": cohort.id, "title": cohort.title} for cohort in trial.cohorts],
        "criteria": [_criterion(row) for row in trial.criteria],
    }


def _criterion(row: Criterion) -> dict[str, Any]:
    return {
        "id": row.id,
        "step": row.step,
        "cohort": row.cohort,
        "severity": row.severity.value,
        "text": row.text,
        "rule": row.rule_text or None,
        "note": row.note,
    }
