"""What a person reads in the questionnaire takes eight years of school at most, names of drugs and illnesses apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest

from onstudy import load_trial
from onstudy.record.catalogue import load_catalogue
from onstudy.record.plain import Plain
from onstudy.screening import plain as words
from onstudy.screening.questionnaire import Questionnaire
from onstudy.screening.questionnaire_questions import Known, Question, detail_questions, root_question, which_question
from onstudy.screening.questionnaire_rules import INTENT, kinds_asked

HIGHEST = 8.0
TRIALS = ("NCT03739814", "NCT06480136")
ON = date(2026, 5, 20)

#: Names that no plainer word stands for. Each is taken out before measuring, because the person has been told it by a
#: doctor (illnesses, tests, parts of the body in them), finds it on the package (drugs), or reads what it is beside it.
NAMES = (
    # illnesses, as doctors call them to the patient
    "acute lymphoblastic leukemia", "acute myeloid leukemia", "chronic myeloid leukemia", "leukemia", "lymphoma",
    "Burkitt", "hepatitis", "Gilbert syndrome", "graft-versus-host disease", "angina", "arrhythmia",
    "ventricular arrhythmia", "osteomyelitis", "fasciitis", "cirrhosis", "fibrosis", "dementia", "Parkinson's disease",
    "tuberculosis", "arthritis", "lupus", "autoimmune disease", "interstitial lung disease", "melanoma",
    "adenocarcinoma", "adenosquamous", "squamous", "remission", "diabetes", "epilepsy",
    # treatments and drugs
    "chemotherapy", "immunotherapy", "radiation", "leukapheresis", "hydroxyurea", "methotrexate", "mercaptopurine",
    "vincristine", "prednisone", "dexamethasone", "imatinib", "dasatinib", "ponatinib", "inotuzumab", "Besponsa",
    "blinatumomab", "Blincyto", "rituximab", "phenytoin", "carbamazepine", "rifampin", "St. John's wort",
    "phenobarbital", "primidone", "pembrolizumab", "nivolumab", "atezolizumab", "irinotecan", "topotecan", "Enhertu",
    "Trodelvy", "Datroway", "cisplatin", "carboplatin", "osimertinib", "alectinib", "adebrelimab", "antibody",
    # what tests are called, explained beside the question
    "Philadelphia chromosome", "BCR-ABL1", "ultrasound", "pacemaker",
)  # fmt: skip
_NAMES = re.compile("|".join(re.escape(name) for name in sorted(NAMES, key=len, reverse=True)), re.IGNORECASE)
_VOWELS = re.compile(r"[aeiouy]+")


def syllables(word: str) -> int:
    """About how many syllables a word has: groups of vowels, without the silent ends of English."""
    small = word.lower().strip("'")
    if len(small) <= 3:
        return 1
    count = len(_VOWELS.findall(small))
    if small.endswith("e") and not small.endswith("le"):
        count -= 1
    if small.endswith(("es", "ed")) and not small.endswith(("ted", "ded", "ses", "ces", "ges", "xes", "zes", "hes")):
        count -= 1
    return max(count, 1)


def grade(text: str) -> float:
    """The school grade of a text by Flesch and Kincaid (1975): 0.39 words/sentence + 11.8 syllables/word - 15.59."""
    plain = _NAMES.sub("it", text)
    sentences = [part for part in re.split(r"[.!?:;]+(?:\s|$)", plain) if part.strip()]
    found = re.findall(r"[A-Za-z']+", plain)
    if not found:
        return 0.0
    return 0.39 * len(found) / len(sentences) + 11.8 * sum(map(syllables, found)) / len(found) - 15.59


def as_read(question: Question) -> str:
    """A question as a person reads it: with its help, and its answers one after the other."""
    answers = [text for _, text in question.options if question.options != words.YES_NO]
    listed = f" Choose one: {'. Or: '.join(answers)}." if answers else ""
    return f"{question.ask} {question.help}{listed}"


def every_question(trial: str) -> Iterator[Question]:
    """Every question a trial may ever put, with all its details."""
    q = Questionnaire(load_trial(trial), ON)
    for root in q.asked.all_roots():
        yield root_question(root, q.asked, ON)
        if root.attribute == INTENT:
            yield which_question(root, q.asked)
        kind = q.catalogue.kinds.get(root.kind)
        if kind is not None and not kind.measured:
            purpose = root.member if root.attribute == INTENT else ""
            agent = root.member if root.attribute == "agent" else ""
            yield from detail_questions(Known(root.key, root.kind, kind.plain.name, agent, purpose), q.asked)


@pytest.mark.parametrize(("text", "low", "high"), [
    ("The cat sat on the mat.", -2.0, 0.5),
    ("Have you had a heart attack in the last 6 months?", 1.0, 5.0),
    ("The pharmacokinetic characteristics necessitate individualized administration considerations.", 20.0, 60.0),
])  # fmt: skip
def test_the_measure_tells_easy_from_hard(text: str, low: float, high: float) -> None:
    assert low < grade(text) < high


@pytest.mark.parametrize("trial", TRIALS)
def test_every_question_is_easy_to_read(trial: str) -> None:
    hard = {as_read(q): round(grade(as_read(q)), 1) for q in every_question(trial) if grade(as_read(q)) > HIGHEST}
    assert hard == {}


def test_so_is_every_question_of_the_catalogue() -> None:
    """Also of kinds that no trial file uses today."""

    def parts(plain: Plain) -> Iterator[str]:
        for text in (plain.ask, plain.now):
            if text:
                yield f"{words.worded(text, 'it', 'in the last 6 months')} {plain.help}"
        for part in plain.details.values():
            yield from parts(part)

    texts = [text for kind in load_catalogue() for text in parts(kind.plain)]
    assert {text: grade(text) for text in texts if grade(text) > HIGHEST} == {}
    assert len(texts) > 80


def test_so_is_what_doctors_still_do() -> None:
    lists = [
        ("They would still do this", [k.plain.test for k in load_catalogue() if k.plain.test]),
        ("They would still ask you about", [k.plain.name for k in load_catalogue() if k.plain.name]),
    ]
    texts = [f"{lead}: {one}." for lead, names in lists for one in names]
    assert {text: grade(text) for text in texts if grade(text) > HIGHEST} == {}


def test_so_are_the_sentences_of_every_result() -> None:
    texts = [*words.MEANINGS.values(), words.BORN_HELP, words.WHICH_HELP, words.DATE_HELP]
    assert {text: grade(text) for text in texts if grade(text) > HIGHEST} == {}


@pytest.mark.parametrize("trial", TRIALS)
def test_every_kind_that_decides_has_plain_words(trial: str) -> None:
    """Asked of a person, or named as what a doctor still has to find out: no label of the laboratory is shown."""
    kinds = kinds_asked(load_trial(trial), load_catalogue())
    assert [name for name, kind in kinds.items() if not (kind.plain.ask or kind.plain.test)] == []
