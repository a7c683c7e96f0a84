"""The rows of the blank worksheet: each criterion with what a person has to look up for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onstudy.criteria import expr as e
from onstudy.criteria.trial import Criterion, Trial
from onstudy.record.catalogue import Catalogue
from onstudy.screening.rows import SEVERITY_WORDS
from onstudy.screening.wording import label

REGISTRATION = "registration"


@dataclass(frozen=True)
class BlankRow:
    """One criterion to be answered by hand; `records` are what its rule looks at."""

    anchor: str
    id: str
    text: str
    note: str
    severity: str
    asked: bool
    conditional: bool
    records: tuple[str, ...]

    @staticmethod
    def of(criterion: Criterion, anchor: str, trial: Trial, catalogue: Catalogue) -> BlankRow:
        """The row of a criterion."""
        return BlankRow(
            anchor=anchor,
            id=criterion.id,
            text=criterion.text,
            note=criterion.note,
            severity=SEVERITY_WORDS[criterion.severity],
            asked=criterion.rule is not None,
            conditional=criterion.conditional is not None,
            records=tuple(dict.fromkeys(_looked_at(criterion, trial, catalogue))),
        )


def _looked_at(criterion: Criterion, trial: Trial, catalogue: Catalogue) -> Iterator[str]:
    """What a person has to look up for a criterion, with the unit to write it in."""
    nodes = e.walk(criterion.rule) if criterion.rule is not None else []
    limited = {_kind_of(node.left) for node in nodes if isinstance(node, e.Compare) and isinstance(node.right, e.Limit)}
    for node in nodes:
        if isinstance(node, e.Records):
            unit = catalogue.kinds[node.kind].unit
            details = [unit] if unit else []
            details += ["with its limit of normal"] if node.kind in limited else []
            yield label(node.kind, catalogue) + (f" ({', '.join(details)})" if details else "")
        elif isinstance(node, e.Age):
            yield "Date of birth"
        elif isinstance(node, e.Anchor) and node.name != REGISTRATION:
            yield trial.anchors[node.name].label
    if criterion.days_since:
        yield label(criterion.days_since, catalogue)


def _kind_of(node: e.ValueExpr) -> str:
    pick = node.of if isinstance(node, e.Field) else node
    return pick.records.kind if isinstance(pick, e.Pick) else ""
