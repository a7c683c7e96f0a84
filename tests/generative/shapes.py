"""What the generative tests are made of: for each kind, how records of it are written and what is asked of them.

Shaped towards collisions: few kinds, values at and around the limits that are asked, days at and around the
edges of the windows that are asked, ties on one day, dates known to the month, bounds that are open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from onstudy.values.calendar import add_months

Written = str | list[str]
Entry = dict[str, object]


@dataclass(frozen=True)
class Shape:
    """One kind: the values and attributes that are written, and the statements made of a value or a record."""

    kind: str
    values: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[Written, ...]] = field(default_factory=dict)
    components: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: tuple[str, ...] = ()  # follow a value: "latest ecog {asked}", "value {asked}" in a body
    inside: tuple[str, ...] = ()  # stand in a body
    of: tuple[str, ...] = ()  # follow "FIELD of latest kind", with the field: "type|is allogeneic"
    dates: tuple[str, ...] = ("start", "end")
    extent: str = "moment"
    ordered: bool = False  # highest and lowest can be asked

    @property
    def presence(self) -> bool:
        """Whether a record itself is the fact, so that it may be denied."""
        return not self.values and not self.components


YES_NO = ("yes", "no")
RELEVANT = {"clinically_relevant": YES_NO}
RELEVANCE = ("clinically_relevant is yes", "clinically_relevant is no")

SHAPES: Mapping[str, Shape] = {
    shape.kind: shape
    for shape in (
        Shape(
            "bilirubin_total",
            values=(
                "1.8 mg/dL",
                "1.81 mg/dL",
                "<1.8 mg/dL",
                ">1.8 mg/dL",
                "<=1.8 mg/dL",
                "1.2-2.4 mg/dL",
                "2.4 mg/dL",
                "30.78 umol/L",
                "1.8",
                "",
            ),
            limits=("", "1.2 mg/dL"),
            asked=(
                "<= 1.5 ULN",
                "< 1.5 ULN",
                "> 1.5 ULN",
                "<= 2 ULN",
                "<= 1.8 mg/dL",
                "< 1.8 mg/dL",
                ">= 1.8 mg/dL",
                "> 1.8 mg/dL",
                "= 1.8 mg/dL",
                "!= 1.8 mg/dL",
            ),
            ordered=True,
        ),
        Shape(
            "hiv_viral_load",
            values=("<20 {copies}/mL", ">20 {copies}/mL", "20 {copies}/mL", "85 {copies}/mL", "not detected", ""),
            attributes={"detected": YES_NO},
            asked=("< 20 {copies}/mL", "<= 20 {copies}/mL", "> 20 {copies}/mL"),
            inside=("detected is no", "detected is yes"),
            of=("detected|is no",),
            ordered=True,
        ),
        Shape("hiv_infection", extent="period"),
        Shape(
            "hbsag",
            values=("positive", "negative", ""),
            asked=("is positive", "is negative", "is not positive", "in (negative, positive)"),
        ),
        Shape(
            "bcr_abl1",
            values=("positive", "negative", ""),
            attributes={"method": ("fish", "pcr", "other")},
            asked=("is positive", "is negative", "not in (positive, negative)"),
            inside=("method is fish", "method in (fish, pcr)"),
            ordered=True,
        ),
        Shape("ecog", values=("0", "1", "2", "3", ">2", "1-2", ""), asked=("<= 2", "< 2", "= 2", ">= 3"), ordered=True),
        Shape(
            "csf_examination",
            components={
                "wbc": ("4 /uL", "5 /uL", "<5 /uL", "1-8 /uL", "60 /uL", "pending"),
                "rbc": ("0 /uL", "10 /uL", "600 /uL"),
                "cytospin": ("negative", "positive", "pending"),
                "flow": ("negative", "positive"),
            },
            inside=("wbc < 5 /uL", "rbc >= 10 /uL", "cytospin is negative", "flow is not positive", "flow is not_done"),
            of=("wbc|< 5 /uL", "cytospin|is negative", "flow|is not positive"),
        ),
        Shape("neurologic_disorder", attributes=RELEVANT, inside=RELEVANCE, extent="period"),
        Shape("seizure", attributes=RELEVANT, inside=RELEVANCE),
        Shape("brain_injury", attributes=RELEVANT, inside=RELEVANCE, of=("clinically_relevant|is yes",)),
        Shape(
            "treatment",
            attributes={
                "agent": (
                    "prednisone",
                    "methotrexate",
                    "rituximab",
                    "monoclonal_antibody",
                    ["prednisone", "rituximab"],
                    "other",
                ),
                "route": ("intrathecal", "oral"),
                "intent": ("ALL", "gvhd", "physiologic_replacement"),
                "frequency": ("daily", "weekly", "once"),
                "course_ia_day_1": YES_NO,
            },
            inside=(
                "agent is rituximab",
                "agent is monoclonal_antibody",
                "agent in (corticosteroid, methotrexate)",
                "route is intrathecal",
                "intent is ALL",
                "course_ia_day_1 is no",
                "allowed_before",
            ),
            of=("agent|is rituximab", "agent|is not monoclonal_antibody"),
            extent="period",
        ),
        Shape(
            "toxicity",
            attributes={
                "term": ("nausea", "fatigue", ["nausea", "fatigue"]),
                "grade": ("1", "2", "3", ">1", "1-2"),
                "acute": YES_NO,
            },
            inside=("term is nausea", "grade <= 1", "grade >= 2", "acute is yes"),
            of=("grade|<= 1", "term|is nausea"),
            extent="period",
        ),
        Shape("gvhd", extent="period"),
        Shape("extramedullary_disease", extent="period"),
        Shape(
            "all_disease_status",
            values=("relapsed", "in_remission", "newly_diagnosed", ""),
            asked=("is relapsed", "in (relapsed, refractory)", "is not in_remission"),
        ),
        Shape(
            "hematopoietic_transplant",
            attributes={"type": ("allogeneic", "autologous", ["allogeneic", "autologous"])},
            inside=("type is allogeneic", "type is not allogeneic"),
            of=("type|is allogeneic",),
        ),
        Shape(
            "other_malignancy",
            attributes={
                "type": ("skin_bcc", "skin_bcc_scc", "colorectal", "other"),
                "adequately_treated": YES_NO,
                "stage": ("I", "II", "III", ["II", "III"]),
                "disease_free_since": ("2024-03-16", "2024-03-17", "2024-03", "2024", "2025-01-01"),
            },
            inside=(
                "type is skin_bcc_scc",
                "adequately_treated is yes",
                "stage in (I, II)",
                "disease_free_since is at least 2 years before registration",
                "disease_free_since is within 2 years before registration",
            ),
            of=("stage|in (I, II)", "disease_free_since|is at least 2 years before registration"),
            dates=("start", "end", "disease_free_since"),
            extent="period",
        ),
        Shape("menses"),
        Shape("hysterectomy"),
        Shape("pregnancy", extent="state"),
        Shape("pacemaker", extent="state"),
        Shape("hypercvad_ineligible", extent="state"),
        # Judgements of other kinds: of any record, of those with a value, of those with attributes, of a group.
        Shape("csf_pleocytosis_is_cns1", extent="state"),
        Shape("past_hbsag_is_hbv", extent="state"),
        Shape("steroid_replacement_reviewed", extent="state"),
        Shape("neurologic_disorder_reviewed", extent="state"),
    )
}

#: Kinds that are asked of together; a case takes one or two of these.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("bilirubin_total",),
    ("hiv_viral_load", "hiv_infection"),
    ("hbsag", "past_hbsag_is_hbv"),
    ("bcr_abl1",),
    ("ecog",),
    ("csf_examination", "csf_pleocytosis_is_cns1"),
    ("neurologic_disorder", "seizure", "brain_injury", "neurologic_disorder_reviewed"),
    ("treatment", "steroid_replacement_reviewed"),
    ("toxicity",),
    ("toxicity", "treatment"),
    ("gvhd", "hematopoietic_transplant"),
    ("extramedullary_disease", "all_disease_status", "hypercvad_ineligible"),
    ("other_malignancy",),
    ("menses", "hysterectomy"),
    ("pregnancy", "pacemaker", "hypercvad_ineligible"),
)

DURATIONS = ("7 days", "28 days", "6 weeks", "4 months", "6 months", "2 years", "24 hours")
#: Registration days: in the middle of a month, at the end of a short one, at the end of a long one.
INDEX_DAYS = (date(2026, 3, 16), date(2026, 2, 28), date(2026, 3, 31))

#: Definitions that rules may name: (kind whose records it is about, rule).
DEFINITIONS: Mapping[str, tuple[str, str]] = {
    "female": ("", "latest sex is female"),
    "of_age": ("", "age at registration >= 60 years"),
    "allowed_before": ("treatment", "route is intrathecal or agent is corticosteroid"),
}


def edges(index: date) -> list[date]:
    """The days at which windows from `index` begin and end, and their neighbours."""
    day = index.toordinal()
    found = {day - 60}
    for base in (
        day,
        day + 2,
        day - 7,
        day - 28,
        day - 42,
        add_months(day, -4),
        add_months(day, -6),
        add_months(day, -24),
    ):
        found |= {base - 1, base, base + 1}
    return [date.fromordinal(one) for one in sorted(found)]


def written_dates(day: date) -> list[str]:
    """Ways to write a day, from the moment to nearly nothing."""
    iso = day.isoformat()
    later = (day + timedelta(days=6)).isoformat()
    return [
        iso,
        f"{iso}T06:00",
        f"{iso}T18:00",
        f"{iso}T18:00-05:00",
        iso[:7],
        iso[:4],
        f"{iso}..{later}",
        f"..{iso}",
        f"{iso}..",
    ]
