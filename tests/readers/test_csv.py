"""CSV: the keys of a patient file as columns, one fact a row."""

from __future__ import annotations

import pytest
from tests.readers.canon import of, only, read, said, written

from onstudy.readers import read_patients
from onstudy.values.calendar import parse_when
from onstudy.values.interval import point

HEADER = "patient,kind,on,from,to,value,unit,uln,lln,recorded,status,agent,intent,wbc,rbc,cytospin\n"


def rows(*lines: str) -> str:
    return HEADER + "".join(f"{line}\n" for line in lines)


def test_every_sort_of_row() -> None:
    patient = read(
        rows(
            "P1,born,,,,1955-06-20",
            "P1,sex,,,,male",
            "P1,complete,,2015-01-01,,all",
            "P1,bilirubin_total,2026-03-15,,,1.8,mg/dL,1.2",
            "P1,creatinine,2026-03-15,,,0.9 mg/dL,,1.2",
            "P1,seizure,,,,no,,,,2026-03-10",
            "P1,treatment,,2025-11,2026-02-03,,,,,,,daratumumab,ALL",
            "P1,csf_examination,2026-03-12,,,,,,,,,,,1 /uL,0 /uL,negative",
            "P1,bcr_abl1,2026-03-12,,,,,,,,pending",
            ",,,,,",
            '"P1",ecog,2026-03-14,,,"1"',
        ),
        "f.csv",
    )
    assert said(patient) == ""
    assert patient.born == parse_when("1955-06-20")
    assert only(patient, "sex").value == frozenset({"male"})
    assert [(cover.kind, cover.last) for cover in patient.coverage] == [("all", None)]
    assert (only(patient, "bilirubin_total").value, only(patient, "bilirubin_total").uln) == (point(1.8), point(1.2))
    assert only(patient, "creatinine").uln == point(1.2)
    assert only(patient, "seizure").negative
    assert only(patient, "treatment").attributes["agent"] == frozenset({"daratumumab"})
    assert set(only(patient, "csf_examination").parts) == {"wbc", "rbc", "cytospin"}
    assert only(patient, "bcr_abl1").lacks == "pending_result"
    assert "f.csv:12" in only(patient, "ecog").source


def test_several_patients_in_the_order_of_their_first_row() -> None:
    found = read_patients(
        "f.csv", rows("B,ecog,2026-03-14,,,1", "A,ecog,2026-03-14,,,2", "B,ecog,2026-03-15,,,0").encode()
    )
    assert [(patient.id, len(of(patient, "ecog"))) for patient in found] == [("B", 2), ("A", 1)]


def test_without_a_column_patient_the_file_names_the_patient() -> None:
    assert read("kind,value,on\necog,1,2026-03-14\n", "P7.csv").id == "P7"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("P1,bilirubn,2026-03-15,,,1.8,mg/dL", "f.csv:3.*did you mean bilirubin_total"),
        ("P1,ecog,2026-03-15,,,1" + "," * 40, "f.csv:3.*more cells"),
        (",ecog,2026-03-15,,,1", "f.csv:3.*names no patient"),
        ('P1,ecog,2026-03-15,,,1"x"y', "f.csv:3.*"),
        ("P1,born,,,,long ago", "born is not a date"),
        ("P1,complete,,,,bilirubn", "no kind 'bilirubn'"),
        ("P1,seizure,,,,no,,,,2026-03-10,,rituximab", "'agent' is no part of seizure"),
    ],
)
def test_a_wrong_row_is_a_problem_and_the_others_are_read(line: str, words: str) -> None:
    import re

    patient = read(rows("P1,ecog,2026-03-14,,,1", line, "P1,lvef,2026-03-14,,,60 %"), "f.csv")
    assert re.search(words, said(patient)), said(patient)
    assert only(patient, "lvef").value == point(60.0)
    assert not of(patient, "seizure")


def test_the_other_of_an_export_may_be_any_word() -> None:
    """A patient file is written in words of this project, where it is none of the others."""
    patient = read("patient,kind,on,agent,route\nP1,treatment,2026-03-10,methotrexate,Other\n", "f.csv")
    assert only(patient, "treatment").attributes["route"] is None
    assert "f.csv:2: route says other, which may be any word of the value set route: it is not used [kept]" in said(
        patient
    )
    written_by_hand = written("kind: treatment, on: 2026-03-10, agent: methotrexate, route: other")
    assert only(written_by_hand, "treatment").attributes["route"] == frozenset({"other"})


def test_columns_that_are_not_read() -> None:
    patient = read(
        "patient,kind,on,value,comment,agnt\nP1,treatment,,no,said so,rituximab\nP1,ecog,2026-03-14,1,x,\n", "f.csv"
    )
    assert "the column 'comment' is not read" in said(patient)
    assert "did you mean agent" in said(patient)
    assert not of(patient, "treatment"), "a no that may have been narrowed is not read as one that was not"
    assert only(patient, "ecog").value == point(1.0)


def test_what_is_said_of_a_patient_has_a_row_and_no_column() -> None:
    patient = read("patient,kind,on,value,sex\nP1,ecog,2026-03-14,1,male\n", "f.csv")
    assert "the column 'sex' is not read; say it in a row of its own, with the kind sex" in said(patient)
    assert only(patient, "ecog").value == point(1.0)


def test_two_statements_of_birth_and_sex() -> None:
    patient = read(rows("P1,born,,,,1955", "P1,born,,,,1956", "P1,sex,,,,male", "P1,sex,,,,female"), "f.csv")
    assert patient.born == parse_when("1955")
    assert said(patient).count("the first counts") == 2
