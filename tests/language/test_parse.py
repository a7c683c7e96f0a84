"""Rules read: what each form becomes, how tightly words bind, and that every error has its place."""

from __future__ import annotations

import pytest
from tests.generative.make import NAMES, parsed

from onstudy.criteria import expr as e
from onstudy.criteria.expr import RuleError
from onstudy.criteria.trial import Setting
from onstudy.language.parse import Names, RuleErrorAt, parse
from onstudy.language.unparse import plain, unparse
from onstudy.record.catalogue import load_catalogue
from onstudy.values.calendar import Duration, Unit
from onstudy.values.interval import Op

SEIZURE = e.Any(e.Records("seizure"))
STROKE = e.Any(e.Records("stroke"))
SYNCOPE = e.Any(e.Records("syncope"))
ECOG = e.Pick(e.Which.LATEST, e.Records("ecog"), e.number_in(""))
REGISTRATION = e.Anchor("registration")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("seizure", SEIZURE),
        ("no seizure", e.Not(SEIZURE)),
        ("known seizure", e.Any(e.Records("seizure"), closed=True)),
        ("seizure or stroke and syncope", e.Or((SEIZURE, e.And((STROKE, SYNCOPE))))),
        ("seizure and stroke or syncope", e.Or((e.And((SEIZURE, STROKE)), SYNCOPE))),
        ("not seizure and stroke", e.And((e.Not(SEIZURE), STROKE))),
        ("not (seizure and stroke)", e.Not(e.And((SEIZURE, STROKE)))),
        ("seizure and stroke and syncope", e.And((SEIZURE, STROKE, SYNCOPE))),
        ("if seizure or stroke then syncope", e.If(e.Or((SEIZURE, STROKE)), SYNCOPE)),
        ("if seizure then if stroke then syncope", e.If(SEIZURE, e.If(STROKE, SYNCOPE))),
        ("latest ecog <= 2", e.Compare(Op.LE, ECOG, e.Number(2.0, "", "2"))),
        ("2 >= latest ecog", e.Compare(Op.GE, e.Number(2.0, "", "2"), ECOG)),
        ("age at registration >= 18 years", e.Compare(Op.GE, e.Age(REGISTRATION), e.Number(18.0, "years", "18 years"))),
        (
            "no seizure within 6 months before registration",
            e.Not(e.Any(e.Records("seizure", None, e.Lookback(
                e.Relation.WITHIN_BEFORE, REGISTRATION, e.Span(Duration(6, Unit.MONTHS)))))),
        ),
        (
            "start of latest menses is on registration",
            e.Timing(e.Field("start", e.Pick(e.Which.LATEST, e.Records("menses"), None), e.DATE_TYPE), e.Relation.ON,
                     REGISTRATION),
        ),
    ],
)  # fmt: skip
def test_what_is_written_becomes(text: str, tree: e.TruthExpr) -> None:
    assert parsed(text) == tree
    assert parsed(unparse(tree)) == tree


def test_white_space_means_nothing() -> None:
    assert parsed("  no\n  seizure\tand\r\n\nlatest ecog<=2 ") == parsed("no seizure and latest ecog <= 2")


def test_products_bind_tighter_than_sums_and_both_to_the_left() -> None:
    written = parsed("latest ecog - 1 - 1 * latest ecog / 2 <= 2")
    assert written == parsed("((latest ecog - 1) - ((1 * latest ecog) / 2)) <= 2")
    assert unparse(written) == "latest ecog - 1 - 1 * latest ecog / 2 <= 2"
    assert parsed("latest ecog - (1 - latest ecog) <= 2") != parsed("latest ecog - 1 - latest ecog <= 2")


def test_a_number_is_converted_to_the_unit_of_the_kind() -> None:
    rule = parsed("latest creatinine <= 176.8 umol/L")
    assert isinstance(rule, e.Compare)
    assert isinstance(rule.right, e.Number)
    assert rule.right.value == pytest.approx(2.0, rel=1e-3)
    assert (rule.right.unit, rule.right.written) == ("mg/dL", "176.8 umol/L")


def test_a_group_stands_for_its_members() -> None:
    rule = parsed("any treatment where (agent is anti_cd20)")
    assert isinstance(rule, e.Any)
    assert isinstance(rule.records.where, e.Member)
    assert {"anti_cd20", "rituximab", "ofatumumab", "obinutuzumab"} <= rule.records.where.members
    assert "daratumumab" not in rule.records.where.members


def test_names_of_a_record_come_before_definitions_anchors_and_kinds() -> None:
    records = Names(("registration", "start"), {}, lambda name: NAMES.definition("female") if name == "type" else None)
    rule = parse("any hematopoietic_transplant where (type is allogeneic)", load_catalogue(), records)
    assert isinstance(rule, e.Any)
    assert isinstance(rule.records.where, e.Member)
    assert rule.records.where.value == e.Field("type", None, e.Type("code", values="transplant_type"))


def test_a_setting_is_read_where_it_is_used_and_kept_by_name() -> None:
    names = Names(("registration",), {
        "window": Setting("window", "6 months", ""), "most": Setting("most", "2.5 ULN", ""),
        "agents": Setting("agents", ("rituximab", "corticosteroid"), ""),
    })  # fmt: skip
    for text in (
        "no seizure within $window before registration",
        "latest ast <= $most",
        "any treatment where (agent is $agents)",
        "any treatment where (agent not in (methotrexate, $agents))",
    ):
        assert unparse(parse(text, load_catalogue(), names)) == text


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "1:1", "the end of the rule does not fit here"),
        (")any seizure", "1:1", "')' does not fit here"),
        ("no seizure\nand\nno strok", "3:4", "there is no kind 'strok'; did you mean stroke?"),
        (
            "latest treatment has (agnt is rituximab)",
            "1:23",
            "'agnt' is neither a definition nor a kind; did you mean agent?",
        ),
        ("allowed_before", "1:1", "allowed_before speaks of a treatment record; it stands inside"),
        ("any seizure where (allowed_before)", "1:20", "allowed_before speaks of a treatment record"),
        ("any treatment where (seizure is yes)", "1:22", "this is a statement; a value is needed here"),
        ("any treatment where (start is rituximab)", "1:22", "'is' and 'in' ask for a code; this is a date"),
        ("start is before registration", "1:1", "'start' is neither a definition nor a kind"),
        ("latest ecog", "1:1", "this is a value"),
        ("not latest ecog", "1:5", "this is a value"),
        ("latest ecog <= seizure", "1:16", "this is a statement; a value is needed here"),
        ("1 <= 2", "1:1", "two numbers are compared"),
        ("any seizure within 1.5 months before registration", "1:20", "'1.5 months' is not a duration"),
        ("any seizure within 999999 days before registration", "1:20", "is longer than any record"),
        ("any seizure within 6 months before (latest ecog)", "1:36", "a date is needed here; this is a number"),
        ("value of highest ecog <= 2", "1:1", "'value of highest' is not defined"),
        ("highest ecog has (value <= 2)", "1:1", "'has' goes with latest or earliest"),
        ("highest ecog <= 2 ULN", "1:1", "a multiple of ULN or LLN is compared with one result"),
        ("latest ecog + 2 ULN <= 3", "1:15", "a number with a unit is compared with a value"),
        ("latest ecog + latest lvef <= 3", "1:1", "cannot add a number without a unit and a number in %"),
        ("count of treatment <= 3 days", "1:23", "has a unit; what it is compared with has none"),
        ("duration of treatment <= 3 months", "1:26", "is compared with days; write it in days"),
        ("age at registration >= 18", "1:24", "is compared with years"),
        ("latest ecog is before registration", "1:1", "relates dates; this is a number"),
        ("count of pacemaker >= 1", "1:1", "pacemaker is a state"),
        ("latest nyha_class <= 2", "1:22", "a number is compared with a code"),
        ("latest ecog has", "1:16", "the end of the rule does not fit here"),
        ("Any seizure", "1:5", "'seizure' does not fit here"),
        ("no seizure § 2", "1:12", "'§' does not belong here"),
    ],
)
def test_an_error_has_its_place(text: str, place: str, said: str) -> None:
    with pytest.raises(RuleErrorAt) as raised:
        parsed(text)
    assert str(raised.value).startswith(place)
    assert said in raised.value.message


def test_a_node_that_makes_no_sense_cannot_be_made() -> None:
    number = e.Number(2.0)
    for make in (
        lambda: e.And((SEIZURE,)),
        lambda: e.Compare(Op.LE, ECOG, e.Age(REGISTRATION)),
        lambda: e.Compare(Op.LE, REGISTRATION, number),
        lambda: e.Compare(Op.LE, e.Count(e.CountOf.RECORDS, e.Records("ecog")), e.Limit(2.0)),
        lambda: e.Member(ECOG, ("positive",), frozenset({"positive"})),
        lambda: e.Timing(ECOG, e.Relation.BEFORE, REGISTRATION),
        lambda: e.Timing(REGISTRATION, e.Relation.WITHIN_BEFORE, REGISTRATION),
        lambda: e.Timing(REGISTRATION, e.Relation.BEFORE, REGISTRATION, e.Span(Duration(1, Unit.DAYS))),
        lambda: e.Lookback(e.Relation.ON, REGISTRATION),
        lambda: e.Lookback(e.Relation.WITHIN_BEFORE, REGISTRATION),
        lambda: e.Lookback(e.Relation.BEFORE, number),
        lambda: e.Pick(e.Which.HIGHEST, e.Records("seizure"), None),
        lambda: e.Has(e.Pick(e.Which.HIGHEST, e.Records("ecog"), e.number_in("")), SEIZURE),
        lambda: e.Arithmetic("+", number, e.Age(REGISTRATION)),
        lambda: e.Arithmetic("*", number, REGISTRATION),
        lambda: e.Pick(e.Which.LATEST, e.Records("seizure"), None).type,
    ):
        with pytest.raises(RuleError):
            make()


@pytest.mark.parametrize(
    ("number", "text"), [(1.5, "1.5"), (10000.0, "10000"), (0.1, "0.1"), (2.0, "2"), (1e13, "10000000000000")]
)
def test_numbers_as_a_person_writes_them(number: float, text: str) -> None:
    assert plain(number) == text
