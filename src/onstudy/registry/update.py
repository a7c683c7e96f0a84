"""Bringing trials up to date from the public ClinicalTrials.gov API v2.

Pages are fetched one after the other (`nextPageToken`) into a folder beside the store, each written whole before the
next is asked for; when all are there, they are imported in one transaction. An update that was cut short goes on
where it stopped. Faults of the network and of the server are waited out; the store only ever sees whole answers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from onstudy.errors import OnstudyError, Problem
from onstudy.registry.importing import Report, import_paths
from onstudy.registry.plain import one_line
from onstudy.registry.record import NCT_ID
from onstudy.registry.store import REGISTRY, Store

if TYPE_CHECKING:
    import httpx2

API = "https://clinicaltrials.gov/api/v2/"
PAGE_SIZE, IDS_AT_ONCE = 200, 100
#: Bytes of one answer; a page of the largest trials has a tenth of it.
LARGEST_ANSWER = 1 << 28
#: Seconds before each new try; what the server asks for in Retry-After comes first, up to `LONGEST_WAIT`.
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
LONGEST_WAIT = 120.0
_BUSY = {408, 425, 429, 500, 502, 503, 504}

Progress = Callable[[int, int], None]  # trials fetched, trials in all
Wait = Callable[[float], None]  # as time.sleep


class NotFetched(OnstudyError):
    """The registry could not be asked, or gave no usable answer; the message says what to do."""


class _TokenRefused(Exception):
    """The server no longer knows the token of a page."""


class _Page(msgspec.Struct):
    studies: list[msgspec.Raw]
    nextPageToken: str | None = None
    totalCount: int | None = None


class _State(msgspec.Struct):
    """How far an update has come; kept as JSON in the folder of its pages."""

    requests: list[dict[str, str]]
    at: int = 0
    token: str | None = None
    pages: int = 0
    trials: int = 0
    total: int = 0


def open_client(user_agent: str, base_url: str = API, timeout: float = 60.0) -> httpx2.Client:
    """A client for the API. Raises `OnstudyError` where httpx2 is not installed."""
    try:
        import httpx2
    except ImportError:
        raise OnstudyError("updating needs the package httpx2: pip install 'onstudy[web]'") from None
    return httpx2.Client(base_url=base_url, timeout=timeout, headers={"User-Agent": user_agent})


def update(
    store: Store,
    client: httpx2.Client,
    folder: Path,
    *,
    ids: Sequence[str] = (),
    since: str = "",
    wait: Wait,
    progress: Progress | None = None,
) -> Report:
    """Fetch these trials, or all that changed since a day (ISO), and take them in.

    Without both, all that changed since the newest update in the store. `folder` keeps the pages until they are
    in. Raises `NotFetched` where the registry gives no answer: what was fetched stays, and the next call goes on.
    """
    if wrong := [one for one in ids if not NCT_ID.fullmatch(one)]:
        raise OnstudyError(f"{wrong[0][:20]!r} is no trial id; write NCT and eight digits")
    requests = _requests(store, ids, since)
    state = _resume(folder, requests)
    fetch = _Fetching(client, folder, state, wait, progress)
    fetch.all()
    pages = [folder / _page_name(number) for number in range(state.pages)]
    report = import_paths(store, pages) if pages else Report()
    for missing in sorted(set(ids) - _ids_in(pages)):
        report.skip(Problem("the registry has no such trial", missing))
    shutil.rmtree(folder, ignore_errors=True)
    return report


def _requests(store: Store, ids: Sequence[str], since: str) -> list[dict[str, str]]:
    if ids:
        some = list(dict.fromkeys(ids))
        chunks = [some[start : start + IDS_AT_ONCE] for start in range(0, len(some), IDS_AT_ONCE)]
        found = [{"filter.ids": ",".join(chunk)} for chunk in chunks]
    else:
        first = since or _newest(store)
        found = [{"filter.advanced": f"AREA[LastUpdatePostDate]RANGE[{first},MAX]"}]
    return [{**one, "pageSize": str(PAGE_SIZE), "countTotal": "true", "format": "json"} for one in found]


def _newest(store: Store) -> str:
    with store.snapshot() as db:
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        newest = (
            db.execute("SELECT max(updated) FROM study WHERE origin = ?", (REGISTRY,)).fetchone()[0] if tables else None
        )
    if not newest:
        raise OnstudyError(
            "nothing was imported yet, so it is not known since when to update: name trials with --nct, a day with "
            "--since, or import the registry's own download first"
        )
    return str(newest)


# The folder ------------------------------------------------------------------------------------------------


def _page_name(number: int) -> str:
    return f"page-{number:06d}.json"


def _resume(folder: Path, requests: list[dict[str, str]]) -> _State:
    """The state of an update of the same requests that was cut short; else a new one in an empty folder."""
    kept = _kept(folder)
    if kept is not None and kept.requests == requests:
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OnstudyError(f"{folder}: cannot be made: {error.strerror}") from None
    return _State(requests)


def _kept(folder: Path) -> _State | None:
    """The state in a folder; None where there is none, or it or a page of it is damaged."""
    try:
        state = msgspec.json.decode((folder / "state.json").read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError):
        return None
    return state if all((folder / _page_name(number)).is_file() for number in range(state.pages)) else None


def _write(path: Path, data: bytes) -> None:
    """A file, whole or not at all."""
    beside = path.with_suffix(".part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        raise OnstudyError(f"{path}: cannot be written: {error.strerror}") from None


class _Named(msgspec.Struct):
    nctId: str = ""
    nctIdAliases: list[str] = []


class _Identified(msgspec.Struct):
    identificationModule: _Named = msgspec.field(default_factory=_Named)


class _Study(msgspec.Struct):
    protocolSection: _Identified = msgspec.field(default_factory=_Identified)


def _ids_in(pages: list[Path]) -> set[str]:
    """The trial ids, past ones included, of the studies of some pages."""
    found: set[str] = set()
    for page in pages:
        for raw in msgspec.json.decode(page.read_bytes(), type=_Page).studies:
            try:
                named = msgspec.json.decode(raw, type=_Study).protocolSection.identificationModule
            except msgspec.ValidationError:
                continue  # the import says what is wrong with it
            found.update((named.nctId, *named.nctIdAliases))
    return found


# Fetching --------------------------------------------------------------------------------------------------


class _Fetching:
    """All pages of all requests, from where the state says."""

    def __init__(
        self, client: httpx2.Client, folder: Path, state: _State, wait: Wait, progress: Progress | None
    ) -> None:
        self.client, self.folder, self.state = client, folder, state
        self.wait, self.progress = wait, progress
        self.begun_anew = False
        self.tokens: set[str] = set()

    def all(self) -> None:
        """Fetch what is still lacking; every page is on disk before its token is followed."""
        state = self.state
        while state.at < len(state.requests):
            try:
                page, text = self.page()
            except _TokenRefused:
                self.begin_anew()
                continue
            _write(self.folder / _page_name(state.pages), text)
            state.pages += 1
            state.trials += len(page.studies)
            state.total += (page.totalCount or 0) if state.token is None else 0
            state.token = page.nextPageToken or None
            if state.token is None:
                state.at += 1
                self.tokens.clear()
            elif state.token in self.tokens:
                raise NotFetched("the registry names the same next page twice; try again later")
            else:
                self.tokens.add(state.token)
            _write(self.folder / "state.json", msgspec.json.encode(state))
            if self.progress:
                self.progress(state.trials, max(state.total, state.trials))

    def begin_anew(self) -> None:
        """Ask from the first page again: tokens do not live for ever."""
        if self.begun_anew:
            raise NotFetched("the registry refuses its own page tokens; try again later")
        self.begun_anew = True
        self.tokens.clear()
        state = self.state
        state.at, state.token, state.pages, state.trials, state.total = 0, None, 0, 0, 0

    def page(self) -> tuple[_Page, bytes]:
        """One page, asked for until it comes whole. Raises `NotFetched` when the waits are used up."""
        fault = ""
        for pause in (*WAITS, None):
            asked = pause
            try:
                status, headers, text = self.ask()
                if status == 200:
                    return msgspec.json.decode(text, type=_Page), text
                fault = f"it answered {status}"
                self.refuse(status, text)
                asked = _asked_for(headers.get("retry-after", ""), pause)
            except _Fault as error:
                fault = str(error)
            except (msgspec.DecodeError, UnicodeDecodeError):
                fault = "its answer was cut off or no page of studies"
            if pause is not None and asked is not None:
                self.wait(asked)
        raise NotFetched(
            f"the registry could not be read after {len(WAITS) + 1} tries ({fault}); what came is kept, "
            "give the same command again to go on"
        )

    def refuse(self, status: int, text: bytes) -> None:
        """Raise for an answer that would not change."""
        if status in _BUSY:
            return
        if status in (400, 404, 410) and self.state.token is not None:
            raise _TokenRefused
        said = one_line(text[:300].decode("utf-8", "replace"), 200)
        raise NotFetched(f"the registry refused the question with {status}: {said}")

    def ask(self) -> tuple[int, Any, bytes]:
        """One request: its status, headers and whole body."""
        import httpx2

        params = dict(self.state.requests[self.state.at])
        if self.state.token is not None:
            params["pageToken"] = self.state.token
            params.pop("countTotal")
        try:
            with self.client.stream("GET", "studies", params=params) as answer:
                return answer.status_code, answer.headers, b"".join(_limited(answer.iter_bytes()))
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise _Fault(f"{type(error).__name__}") from None


class _Fault(Exception):
    """The network failed; it may work again."""


def _limited(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise NotFetched(f"the registry's answer is larger than {LARGEST_ANSWER >> 20} MiB")
        yield chunk


def _asked_for(text: str, pause: float | None) -> float | None:
    """The wait a server asks for in seconds, within bounds; else the one that is due."""
    if pause is not None and text.isascii() and text.isdigit():
        return min(max(float(text[:6]), pause), LONGEST_WAIT)
    return pause
