"""The vector engine: every node of the language over arrays, for any set of (patient, anchors) pairs.

How it works is told in docs/vector.md. It shares no line with the reference engine, which it must agree with.
"""

from onstudy.engines.vector.arrays import Truths
from onstudy.engines.vector.engine import Asks, TruthTable, Vector, evaluate_many
from onstudy.engines.vector.frames import REGISTRATION, Families, Pairs
from onstudy.engines.vector.moments import Moments, of_days, of_whens

__all__ = [
    "REGISTRATION",
    "Asks",
    "Families",
    "Moments",
    "Pairs",
    "TruthTable",
    "Truths",
    "Vector",
    "evaluate_many",
    "of_days",
    "of_whens",
]
