"""A status is a statement with a date."""

from __future__ import annotations

from datetime import date

import pytest

from onstudy.registry.status import (
    ASK,
    CLOSED,
    OPEN,
    STATUS_WORDS,
    Standing,
    openness,
    site_words,
    standing_of,
    statement,
    study_words,
)

TODAY = date(2026, 5, 20)
NEW, OLD = "2026-05-10", "2023-10-12"


@pytest.mark.parametrize(
    ("study", "site", "stated", "expected", "words"),
    [
        ("RECRUITING", "RECRUITING", NEW, OPEN, "open, as stated on 2026-05-10"),
        ("RECRUITING", "RECRUITING", OLD, ASK, "listed as open on 2023-10-12, ask the site"),
        ("RECRUITING", "RECRUITING", "2023-10", ASK, "listed as open in 2023-10, ask the site"),
        ("RECRUITING", "RECRUITING", "", ASK, "listed as open without a date, ask the site"),
        ("UNKNOWN", "RECRUITING", "about 2021", ASK, "listed as open about 2021, ask the site"),
        ("UNKNOWN", "RECRUITING", NEW, ASK, "listed as open on 2026-05-10, ask the site"),
        ("UNKNOWN", "UNKNOWN", NEW, ASK, "status not stated, ask the site"),
        (
            "RECRUITING", "UNKNOWN", NEW, ASK,
            "study listed as open on 2026-05-10; the status of this site is not stated, ask the site",
        ),
        ("RECRUITING", "COMPLETED", NEW, CLOSED, "completed, as stated on 2026-05-10"),
        ("COMPLETED", "RECRUITING", NEW, CLOSED, "study completed, as stated on 2026-05-10"),
        ("SUSPENDED", "UNKNOWN", NEW, CLOSED, "study suspended, as stated on 2026-05-10"),
        ("NOT_YET_RECRUITING", "NOT_YET_RECRUITING", NEW, CLOSED, "not yet recruiting, as stated on 2026-05-10"),
        ("ENROLLING_BY_INVITATION", "RECRUITING", NEW, OPEN, "open, as stated on 2026-05-10"),
        ("UNKNOWN", "WITHDRAWN", NEW, CLOSED, "withdrawn, as stated on 2026-05-10"),
        ("RECRUITING", "SOMETHING_NEW", NEW, CLOSED, "something new, as stated on 2026-05-10"),
    ],
)  # fmt: skip
def test_a_site_is_open_only_where_it_and_the_study_can_enrol(
    study: str, site: str, stated: str, expected: str, words: str
) -> None:
    its, said = statement(study, stated), statement(site, stated)
    assert openness(its, said, TODAY, 90) == expected
    assert site_words(its, said, TODAY, 90) == words
    assert "open now" not in words


@pytest.mark.parametrize(
    ("stated", "days", "fresh"),
    [
        ("2026-02-19", 90, True),
        ("2026-02-18", 90, False),
        ("2026-02-18", 91, True),
        ("2026-02", 90, True),  # its last day may be meant
        ("2025", 90, False),
        ("", 10_000, False),
        ("next week", 10_000, False),
    ],
)
def test_how_old_is_too_old(stated: str, days: int, fresh: bool) -> None:
    assert Standing("RECRUITING", stated).fresh(TODAY, days) is fresh


def test_a_vague_date_is_never_fresh() -> None:
    assert not Standing("RECRUITING", "2026", about=True).fresh(TODAY, 90)


def test_an_unknown_status_tells_what_was_known_last() -> None:
    unknown = Standing("UNKNOWN", "2026-05-15")
    said = study_words(unknown, Standing("SUSPENDED", "2023-04-04"), TODAY, 90)
    assert said == "status not known; last known: suspended, as stated on 2023-04-04"
    assert study_words(unknown, Standing("", ""), TODAY, 90) == "status not known"


def test_every_status_has_words_and_a_standing() -> None:
    assert {standing_of(status) for status in STATUS_WORDS} == {"can", "may", "cannot"}
    assert all(words == words.lower() for words in STATUS_WORDS.values())
