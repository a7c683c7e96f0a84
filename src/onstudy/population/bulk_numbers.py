"""Many numbers at once: read from their texts, converted and rounded exactly as `values/quantity.py` does one.

Rounding to significant digits is done with whole numbers; the few that lie too near the middle between two results
to be told so are rounded one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.values.quantity import SIGNIFICANT_DIGITS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The texts of numbers that need no second look: what `str` of their decimal is, with not too many digits.
_REGULAR = r"^(0|-?[1-9][0-9]{0,12}|-?(0|[1-9][0-9]{0,8})\.[0-9]{1,6}|-?[1-9][0-9]{0,8}\.[0-9]{7,16})$"
#: Numbers within these bounds can be converted from any unit to any other and stay numbers.
_SMALLEST, _LARGEST = 1e-9, 1e15
#: A quotient this near to a half may have been rounded on its way to the wrong side.
_DOUBT = 1e-3

#: The powers of ten that are exact.
_POWERS = 10.0 ** np.arange(23)

#: Classes of numbers that readers tell apart: the sign, and whether it is whole. 0 is irregular.
IRREGULAR = 0


def rounded(value: float) -> float:
    """A result to the significant digits that conversions keep."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def rounded_all(values: Floats) -> Floats:
    """`rounded` of each."""
    size = np.abs(values)
    usual = (size > 1e-10) & (size < 1e15)
    safe = np.where(usual, size, 1.0)
    power = SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(safe)).astype(np.int64)
    digits = _scaled(safe, power)
    # log10 may be off by one at powers of ten: the digits must have their number
    usual &= (digits >= 10.0 ** (SIGNIFICANT_DIGITS - 1)) & (digits < 10.0**SIGNIFICANT_DIGITS - 1)
    whole = np.floor(digits + 0.5)
    usual &= np.abs(digits - np.floor(digits) - 0.5) > _DOUBT
    found = np.copysign(_scaled(whole, -power), values)
    for row in np.flatnonzero(~usual & (values != 0)).tolist():
        found[row] = rounded(float(values[row]))
    return np.where(values == 0, 0.0, found)


def _scaled(values: Floats, power: NDArray[np.int64]) -> Floats:
    """Times a power of ten, which is exact on its own side of the stroke."""
    up, down = _POWERS[np.clip(power, 0, 22)], _POWERS[np.clip(-power, 0, 22)]
    return np.asarray(values * up / down)


def read_numbers(texts: pa.Array) -> tuple[Floats, NDArray[np.int8]]:
    """The numbers of JSON texts (null is none, NaN here), and the class of each: 0 for what needs a second look.

    Other classes are equal where sign and wholeness are.
    """
    regular = pc.match_substring_regex(texts, _REGULAR).fill_null(False).to_numpy(zero_copy_only=False)
    kept = pc.if_else(pa.array(regular), texts, None)
    values = kept.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values, classes_of(values, regular)


def classes_of(values: Floats, regular: Flags) -> NDArray[np.int8]:
    """The class of each number: by its sign, and whether it is whole; `IRREGULAR` where it is none of these."""
    with np.errstate(invalid="ignore"):
        size = np.abs(values)
        good = regular & ((size == 0) | ((size > _SMALLEST) & (size < _LARGEST)))
        whole = np.floor(values) == values
        found = 1 + (np.sign(values) + 1) * 2 + whole
    return np.where(good, found, IRREGULAR).astype(np.int8)


def as_array(values: Any) -> Floats:
    """Numbers as the arrays used here."""
    return np.asarray(values, np.float64)
