"""The words of the questionnaire that belong to no kind of fact: topics, stretches of time, details, dates.

Plain words for people without medical training; a test measures that eight years of school are enough to read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from onstudy.record.plain import NAME, WHEN
from onstudy.screening.questionnaire_rules import Stretch

#: The chapters of the catalogue as a person knows them, in the order in which they are asked.
TOPICS: Mapping[str, str] = {
    "person": "About you",
    "disease": "Your illness",
    "treatment": "Your treatment",
    "performance": "Your daily life",
    "heart": "Your heart",
    "nervous_system": "Your brain and nerves",
    "infection": "Infections",
    "liver": "Your liver",
    "pregnancy": "Having children",
    "cancer": "Other cancers",
    "other_disease": "Other illnesses",
    "laboratory": "Your tests",
    "study": "The study",
}

YES, NO, UNKNOWN = "yes", "no", "unknown"
YES_NO: tuple[tuple[str, str], ...] = ((YES, "Yes"), (NO, "No"))
DO_NOT_KNOW = "I don't know"
BLANK = "Left blank"
EITHER = f"You gave an answer and also marked “{DO_NOT_KNOW}”. Keep one of them."
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

BORN_ASK = "When were you born?"
BORN_HELP = "The month and the year are enough."
WHICH_ASK = "Which of these have you had?"
WHICH_HELP = "Mark all that you have had."
TREATED_FOR = "treatment for {name}"
DATE_HELP = "The year is enough if you do not know more."
LAST_TIME = "When was the last time?"
STILL = "Is this still going on?"
BEGUN, OVER = "When did this begin?", "If it is over, when was the last day?"
AGAIN_ASK, AGAIN_HELP = "Was there another one?", "One that you have not told us yet."
YOU_SAID, WHICH_DAY, WHICH_MONTH_AND_DAY = "You said {date}.", "Which day was it?", "Which month and day was it?"
WHAT_FOR, WHICH_ONE, ANOTHER = "What was it for?", "Which one was it?", "Another one"

#: How sure the result is, in one word and one sentence. Never "you are eligible".
LIKELY, POSSIBLE, UNLIKELY = "likely", "possible", "unlikely"
MEANINGS: Mapping[str, str] = {
    LIKELY: "Nothing you told us speaks against it. Doctors still have to do tests.",
    POSSIBLE: "It could fit, but there are things we do not know yet.",
    UNLIKELY: "Something you told us speaks against it. Your care team can tell you if there is a way.",
}
#: The same for a doctor who reads the page.
FOR_DOCTORS: Mapping[str, str] = {
    LIKELY: "No answer speaks against it. Tests are still to be done.",
    POSSIBLE: "It could fit, but not all is known yet.",
    UNLIKELY: "An answer speaks against it.",
}
#: Of a trial of which only the limits of age and sex are known.
LIMITS: Mapping[str, str] = {"born": "age", "sex": "sex"}
NO_LIMITS = (
    "The record of this trial has no limit of age or sex. So there was nothing to ask, and nothing was compared."
)
NOTHING_COMPARED = "We were not told the {names}, so nothing was compared."
LIMITS_FIT = "The {names} {fit} the limits in the record. Nothing else was compared."


def stretch_words(stretch: Stretch, on: date) -> str:
    """The time a question is about."""
    if stretch.present:
        return "now"
    longest = stretch.longest(on)
    if longest is None:
        return "at any time"
    amount, unit = str(longest).split(" ", 1)
    return f"in the last {unit}" if amount == "1" else f"in the last {amount} {unit}"


def worded(ask: str, name: str, when: str) -> str:
    """A question with its name and its stretch of time put in."""
    return " ".join(ask.replace(NAME, name).replace(WHEN, when).split())


def about(name: str, ask: str) -> str:
    """A question about something a person said yes to: "A heart attack: when was the last time?"."""
    return f"{capital(name)}: {ask[:1].lower()}{ask[1:]}" if name else ask


def numbered(name: str, number: int) -> str:
    """The name of one of several: "chemotherapy (number 2)"."""
    return name if number < 2 else f"{short(name)} (number {number})"


def short(name: str) -> str:
    """A name without its examples, which follow a comma: "an antibody drug, such as rituximab"."""
    return name.partition(", ")[0]


def examples(name: str) -> str:
    """The examples of a name, as a sentence; "" where it has none."""
    rest = name.partition(", ")[2]
    return f"{capital(rest)}." if rest else ""


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def day_words(day: int | date) -> str:
    """A day as it is said: March 17, 2026."""
    known = date.fromordinal(day) if isinstance(day, int) else day
    return f"{MONTHS[known.month - 1]} {known.day}, {known.year}"


def date_words(year: str, month: str = "", day: str = "") -> str:
    """A date as far as it was given: 2026, March 2026, March 17, 2026."""
    if not month:
        return year
    name = MONTHS[int(month) - 1]
    return f"{name} {int(day)}, {year}" if day else f"{name} {year}"
