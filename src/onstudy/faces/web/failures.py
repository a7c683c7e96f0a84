"""What went wrong, told as a page or as JSON (RFC 9457) by what the asker accepts; never with what was sent."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from onstudy.errors import OnstudyError
from onstudy.faces.web.pages import render
from onstudy.faces.web.rest_models import MOMENT

API = "/api/"
PROBLEM = "application/problem+json"
_TITLES = {
    400: "This request cannot be read",
    403: "This is not allowed",
    404: "There is no such page",
    405: "This page does not take that kind of request",
    413: "That is too large",
    422: "Something in this request cannot be used",
    500: "Something went wrong here",
    503: "This took too long",
}
_WAYS_OUT = {
    404: "The address may be misspelt, or the trial may not be in this registry. Start a new search.",
    405: "Go back to the page before and try again from there.",
    413: "Send a smaller file.",
    500: "It is our fault, not yours. Try again; if it happens again, tell whoever runs this site.",
    503: "Try again with a smaller file or a narrower search.",
}
#: Pages with a form whose sending may fail: the way back to them.
_FORMS = ("/coordinator",)


class ProblemDetails(BaseModel):
    """RFC 9457: what went wrong with a request."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


#: What every operation of the API may answer beside its result; for `responses=` of a route.
API_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": _TITLES[status], "content": {PROBLEM: {"schema": ProblemDetails.model_json_schema()}}}
    for status in (400, 404, 413, 422)
}


def wants_json(request: Request) -> bool:
    """Whether the asker is a program: by the address, or because it accepts JSON and no page."""
    accepted = request.headers.get("accept", "")
    return request.url.path.startswith(API) or ("json" in accepted and "html" not in accepted)


def failure(request: Request, status: int, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    """The answer that says what went wrong, and the way out."""
    title = _TITLES.get(status, "This did not work")
    said = detail or _WAYS_OUT.get(status, "Go back to the page before and try again.")
    if wants_json(request):
        body = ProblemDetails(title=title, status=status, detail=said).model_dump()
        response = Response(json.dumps(body, ensure_ascii=False), status, media_type=PROBLEM)
    else:
        form = next((path for path in _FORMS if request.url.path.startswith(path)), "")
        response = render(request, "failure.html", status, title=title, said=said, form=form)
    response.headers.update(headers or {})
    return response


def install(app: FastAPI) -> None:
    """Let the app tell its failures this way."""

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        usual = error.detail in ("Not Found", "Method Not Allowed", "Internal Server Error", "Bad Request")
        return failure(request, error.status_code, "" if usual else error.detail, dict(error.headers or {}))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return failure(request, 422, "; ".join(dict.fromkeys(_place(one) for one in error.errors()[:10])))

    async def refused(request: Request, error: Exception) -> Response:
        return failure(request, 422, str(error))

    async def ours(request: Request, error: Exception) -> Response:
        return failure(request, 500)  # what it was, the log layer tells

    app.add_exception_handler(Exception, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(OnstudyError, refused)


def _place(error: Any) -> str:
    """Which field, and what is wrong with it; never what was sent."""
    field = ".".join(str(part) for part in error["loc"][1:]) or "the request"
    moment = error.get("ctx", {}).get("pattern") == MOMENT  # the pattern itself tells nobody anything
    said = (
        "no date and time there is; write YYYY-MM-DD or YYYY-MM-DDThh:mm"
        if moment
        else error["msg"].removeprefix("Value error, ")
    )
    return f"{field[:60]}: {said}"
