"""Which class of a category a patient is in, as the trial file defines it: vignettes V03 to V05, reference 2.4."""

from __future__ import annotations

import pytest
from tests.trials.flagship import asked, changed

from onstudy.screening.report import to_text


@pytest.mark.parametrize(
    ("patient", "without", "category"),
    [
        ("BASE-1", (), "CNS 1"),
        ("V03", (), "CNS 2"),
        ("V04", (), "CNS 2"),
        ("V05", (), "CNS 3"),
        ("V05a", (), "not settled: CNS 2 or CNS 3"),
        ("BASE-1", ("csf_examination",), "not settled: CNS 1 or CNS 2 or CNS 3"),
    ],
)
def test_the_cns_category_is_reported(patient: str, without: tuple[str, ...], category: str) -> None:
    found = asked(changed(patient, without))
    assert found.categories == (("CNS category", category),)
    assert f"\nCNS category: {category}\n" in to_text(found)
