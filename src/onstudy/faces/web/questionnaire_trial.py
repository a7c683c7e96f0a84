"""What the questionnaire's pages say of the trial itself: its title, whether it takes people, the nearest site."""

from __future__ import annotations

from dataclasses import dataclass

from onstudy.errors import OnstudyError
from onstudy.faces.web.pages import first_upper
from onstudy.faces.web.questionnaire_state import LONGEST_PLACE
from onstudy.faces.web.stock import Stock
from onstudy.registry.nearness import origin_of
from onstudy.registry.page import TrialPage, page_of
from onstudy.registry.places import Place, places_of
from onstudy.registry.status import CANNOT, standing_of


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest site that may be open, seen from a ZIP code or city; `error` says why there is none to name."""

    origin: str = ""
    place: Place | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial as the registry has it. Without a record only the title of its trial file is known."""

    id: str
    title: str
    page: TrialPage | None
    status: str = ""  # the status of the study, said by itself
    status_words: str = ""  # that status as a statement with its date

    @property
    def closed(self) -> bool:
        """Whether it takes no new people, by its record."""
        return self.page is not None and standing_of(self.page.record.status) == CANNOT

    @property
    def listed(self) -> bool:
        """Whether the record lists any site."""
        return self.page is not None and bool(self.page.sites)

    def nearest(self, written: str, stock: Stock) -> Nearest:
        """The nearest site to a ZIP code or city as it was written."""
        place = " ".join(written[:LONGEST_PLACE].split())
        if not place or self.page is None:
            return Nearest()
        try:
            origin = origin_of(stock.registry, place)
        except OnstudyError as problem:
            return Nearest(error=first_upper(str(problem)))
        details = self.page.details
        found = places_of(
            self.page.record, self.page.sites, details.site_contacts, stock.today(), stock.max_age, origin
        ).nearest
        return Nearest(origin.name, found, "" if found else "No site of this trial is known to be open.")


def asked_trial(stock: Stock, id: str, file_title: str) -> Asked | None:
    """The trial of an id; `file_title` is that of its trial file, "" where it has none. None where it is not known."""
    raw = stock.registry.original(id)
    if raw is None:
        return Asked(id, file_title, None) if file_title else None
    page = page_of(raw, stock.registry.origin(id))
    return Asked(id, page.title, page, page.record.status, page.status_words(stock.today(), stock.max_age))
