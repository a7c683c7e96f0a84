"""The shipped table of units (units.toml): what each is worth, and what laboratories write for it.

`normalise_unit` turns laboratory spellings into UCUM. It never guesses: a spelling it does not know is left
as it is, and one that could mean two things is told from `ambiguity`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

#: No unit is longer; anything that is, is no unit.
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Scale:
    """What a unit measures: one of it is `factor` times the first unit of its dimension.

    `zero` is other than 0 for temperatures only: where the scale's zero lies above the first unit's, in
    degrees of its own.
    """

    dimension: str
    factor: Fraction
    zero: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Table:
    """units.toml as read: the scales of each unit, what a molar mass joins, spellings by folded text."""

    scales: dict[str, tuple[Scale, ...]]
    first_units: dict[str, str]
    molar: dict[str, str]
    exact: dict[str, str]
    whole: dict[str, str]
    part: dict[str, str]
    counted: tuple[str, ...]
    count: dict[str, str]
    volume: dict[str, str]
    ambiguous: dict[str, str]


@cache
def table() -> Table:
    """The shipped table, read once."""
    raw = tomllib.loads(Path(__file__).with_name("units.toml").read_text(encoding="utf-8"))
    scales: dict[str, tuple[Scale, ...]] = {}
    first_units: dict[str, str] = {}
    for dimension, entry in raw["dimensions"].items():
        for unit, scale in _scales(dimension, entry):
            scales[unit] = (*scales.get(unit, ()), scale)
            first_units.setdefault(dimension, unit)
    spellings = raw["spellings"]
    pieces = {piece for unit in scales for piece in unit.split("/")}
    return Table(
        scales=scales,
        first_units=first_units,
        molar={name: entry["molar"] for name, entry in raw["dimensions"].items() if "molar" in entry},
        exact=spellings["exact"],
        whole={**_by_fold(set(scales)), **spellings["whole"]},
        part={**_by_fold(pieces), **spellings["part"]},
        counted=tuple(spellings["counted"]["names"]),
        count=spellings["per_volume"]["count"],
        volume={**_by_fold({"L", "dL", "mL", "uL"}), **spellings["per_volume"]["volume"]},
        ambiguous=raw["ambiguous"],
    )


def _scales(dimension: str, entry: dict[str, Any]) -> list[tuple[str, Scale]]:
    found = []
    for line in entry["units"]:
        unit, _, worth = line.rpartition("=")
        zero = Fraction(entry.get("zero", {}).get(unit.strip(), 0))
        found.append((unit.strip(), Scale(dimension, Fraction(worth.strip()), zero)))
    return found


def _by_fold(units: set[str]) -> dict[str, str]:
    """Units of several letters by their text without case; single letters mean too much to be folded."""
    return {unit.casefold(): unit for unit in sorted(units) if len(unit) > 1}


# Spellings ------------------------------------------------------------------------------------------

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PLAIN = str.maketrans({"µ": "u", "μ": "u", "×": "x", "·": ".", "⋅": ".", "∙": ".", "−": "-", "∕": "/", "⁄": "/"})
_RAISED_POWER = re.compile(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,2})")
_POWER = re.compile(
    r"(?:[x*]?10(?:\^|\*\*?|e|x)\(?|[x*]10\(|10\(|1e)0?([1-9][0-9]?)\)?[.*]?(.*)|[x*]10(3|6|9|12)(.*)",
    re.IGNORECASE,
)
_CLEARANCE = re.compile(
    r"ml/\(?(min|sec|s)\)?[/.*x]*(?:per)?[\[{(]*1[.,]73[_.*]*(?:m\^?2|m\*\*2|sqm|squaremet(?:er|re)s?)?[\]})]*"
)
_LOST_POWER = re.compile(r"10(3|6|9|12)/.+")


@lru_cache(maxsize=4096)
def normalise_unit(text: str) -> str:
    """The UCUM unit that a laboratory's spelling means; a text that is not understood comes back tidied only.

    `K/uL`, `x10^9/L`, `mcg/mL`, `mm Hg`, `IU/L`, `mL/min/1.73 m²` become `10*3/uL`, `10*9/L`, `ug/mL`,
    `mm[Hg]`, `[IU]/L`, `mL/min/{1.73_m2}`. What comes back is left as it is when given again.
    """
    tidy = _tidied(text)
    known = table()
    if tidy in known.scales or len(tidy) > LONGEST or ambiguity(tidy):
        return tidy
    key = tidy.casefold()
    clearance = _CLEARANCE.fullmatch(key)
    if clearance:
        return f"mL/{clearance[1][0] if clearance[1] != 'min' else 'min'}/{{1.73_m2}}"
    if tidy in known.exact:
        return known.exact[tidy]
    if len(key) > 1 and key in known.whole:
        return known.whole[key]
    return _rebuilt(tidy)


def ambiguity(unit: str) -> str:
    """What a spelling could mean, where it could mean two things; "" where it could not."""
    lost = _LOST_POWER.fullmatch(unit)
    if lost:
        return f"10*{lost[1]} with its raised {lost[1]} lost, or the number {unit.partition('/')[0]}"
    return table().ambiguous.get(unit, "")


def _tidied(text: str) -> str:
    """Plain signs for typographic ones, and no spaces."""
    marked = re.sub(r"\s+per\s+", "/", text, flags=re.IGNORECASE) if len(text) <= 2 * LONGEST else text
    marked = _RAISED_POWER.sub(lambda power: "10*" + power[1].translate(_RAISED), marked)
    return "".join(marked.translate(_RAISED).translate(_PLAIN).split())


def _rebuilt(unit: str) -> str:
    """A unit put together again from its pieces between strokes, each in UCUM where its spelling is known."""
    first, *below = _split(unit)
    if not below:
        return _piece(first)
    count = _count(first, below)
    if count is not None:
        return count
    top = "" if first == "1" else _powered(first)
    return "/".join([top, *map(_piece, below)])


def _split(unit: str) -> list[str]:
    """The pieces between strokes, leaving alone strokes inside braces and brackets."""
    return re.split(r"/(?![^{]*\})(?![^\[]*\])", unit)


def _piece(text: str) -> str:
    known = table().part
    key = text.casefold()
    return known.get(key, text) if len(text) > 1 or key in ("u", "l") else text


def _powered(text: str) -> str:
    """A piece with a power of ten before it, `x10^3copies`, in UCUM: `10*3{copies}`."""
    power = _POWER.fullmatch(text)
    if power is None:
        return _piece(text)
    rest = _piece(power[2] or power[4] or "")
    joint = "." if rest and not rest.startswith("{") else ""
    return f"10*{power[1] or power[3]}{joint}{rest}"


def _count(top: str, below: list[str]) -> str | None:
    """A count per volume in UCUM (`Kcells/mm3` is `10*3/uL`), or None where it is not one."""
    known = table()
    volume = known.volume.get(below[0].casefold()) or known.volume.get(_piece(below[0]).casefold())
    if volume is None or len(below) > 1:
        return None
    number = top
    for name in known.counted:
        if top.casefold().endswith(name):
            number = top[: len(top) - len(name)].rstrip(".*")
            break
    word = known.count.get(number) or (known.count.get(number.casefold()) if len(number) > 1 else None)
    if word is None and number not in ("", "1"):
        word = _powered(number)
        if not re.fullmatch(r"10\*[0-9]+", word):
            return None
    return f"{word or ''}/{volume}"
