"""The parts of pages that Python puts together: every text in them is escaped, and each says what its record says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.datastructures import QueryParams

from onstudy.faces.web.asked import Asked, asked
from onstudy.faces.web.listing import choices, hits, person, rows
from onstudy.registry.details import Contact
from onstudy.registry.nearness import Near
from onstudy.registry.places import Place
from onstudy.registry.query import Hit
from onstudy.registry.status import Standing
from onstudy.registry.store import COMPILED, SHIPPED, in_memory

EVIL, HARMLESS = """<q title='"'>&""", "&lt;q title=&#39;&#34;&#39;&gt;&amp;"
NEAR = Near(EVIL, EVIL, EVIL, EVIL, EVIL, 12.3, Standing(EVIL, EVIL), "ask", EVIL)
PLACE = Place(
    name=EVIL, city=EVIL, state=EVIL, country=EVIL, zip=EVIL, lat=None, lon=None, miles=3.0, status=EVIL,
    openness="open", words=EVIL, contacts=(Contact(*[EVIL] * 5),),
)  # fmt: skip
HIT = Hit(
    "NCT00000001", EVIL, Standing(EVIL, EVIL), Standing(""), EVIL, EVIL, EVIL, EVIL, "registry", 3, NEAR, NEAR
)  # fmt: skip


def search(address: str = "") -> Asked:
    return asked(QueryParams(address), in_memory())


@pytest.mark.parametrize(
    "found",
    [
        hits([HIT], search("zip=35294"), link=True),
        hits([replace(HIT, nearest=None)], search(f"q={EVIL}"), link=True),
        choices("country", [(EVIL, EVIL, 1, True)]),
        rows([PLACE], True),
        person(Contact(*[EVIL] * 5)),
    ],
    ids=["near", "anywhere", "choice", "row", "person"],
)
def test_what_a_record_says_is_text(found: str) -> None:
    assert "<q" not in found and "'>&" not in found and HARMLESS in found


def test_a_trial_says_where_it_comes_from_and_how_many_sites_it_has() -> None:
    said = {
        origin: hits([replace(HIT, origin=origin, nearest=None, sites=1200)], search(), link=True)
        for origin in (SHIPPED, COMPILED)
    }
    assert "<li>example record</li>" in said[SHIPPED] and "record updated" in said[SHIPPED]
    assert "<li>put together from public sources</li>" in said[COMPILED] and "the newest of" in said[COMPILED]
    assert all("1,200 sites listed." in one for one in said.values())
    assert "This record lists no site." in hits([replace(HIT, nearest=None, sites=0)], search())


def test_only_a_trial_that_is_ticked_has_a_tick() -> None:
    ticked, other = (
        hits([replace(HIT, nct_id=id)], search("tick=NCT00000001")) for id in ("NCT00000001", "NCT00000002")
    )
    assert " checked>" in ticked and " checked>" not in other
    assert 'type="checkbox"' not in hits([HIT], search(), tick=False)


def test_a_place_goes_along_to_the_trial() -> None:
    assert 'href="/trials/NCT00000001?zip=35294"' in hits([HIT], search("zip=35294"))
    assert 'href="/trials/NCT00000001"' in hits([HIT], search())


def test_the_choices_of_a_facet_have_their_numbers() -> None:
    options = ("OLDER_ADULT", "older adult", 12345, True), ("CHILD", "child", 1, False)
    one, two = (choices("age_group", [option]) for option in options)
    assert choices("age_group", options) == one + two
    assert 'id="age_group-OLDER_ADULT"' in one and "(12,345)" in one and " checked>" in one
    assert 'value="CHILD"' in two and "(1)" in two and " checked>" not in two


def test_somebody_can_be_called_and_written_to_where_that_can_be() -> None:
    assert person(Contact("A. Who", "", "(205) 555-0100", "who@example.org", "UAB")) == (
        'A. Who, UAB, <a href="tel:2055550100">(205) 555-0100</a>, '
        '<a href="mailto:who@example.org">who@example.org</a>'
    )  # fmt: skip
    assert person(Contact("", "", "ask inside", "at the desk", "UAB")) == "ask inside, at the desk"
