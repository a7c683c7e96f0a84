"""Static files and templates fit together: classes have rules, icons and files exist, nothing points elsewhere."""

from __future__ import annotations

import re

import pytest

from onstudy.faces.web.assets import FOLDER, address, assets
from onstudy.faces.web.pages import TEMPLATES, environment

TEXTS = {path.relative_to(TEMPLATES).as_posix(): path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html")}
#: Classes of the design system that only mark a part, without a rule of their own.
BARE = {"usa-step-indicator__heading-counter", "usa-step-indicator__heading-text"}


def test_every_class_of_the_design_system_has_a_rule() -> None:
    css = (FOLDER / "vendor/uswds.css").read_text(encoding="utf-8")
    known = set(re.findall(r"\.(usa-[\w-]+)", css)) | BARE
    for name, text in TEXTS.items():
        used = {part for found in re.findall(r'class="([^"]*)"', text) for part in re.findall(r"\busa-[\w-]+\b", found)}
        assert {one for one in used if not one.endswith("-")} <= known, name


def test_every_icon_is_in_the_sprite() -> None:
    known = set(re.findall(r'<symbol[^>]*\bid="(\w+)"', (FOLDER / "vendor/sprite.svg").read_text(encoding="utf-8")))
    for name, text in TEXTS.items():
        assert set(re.findall(r'\bicon\("(\w+)"', text)) <= known, name


def test_every_file_that_is_named_exists() -> None:
    for name, text in TEXTS.items():
        for file in re.findall(r"static\('([^'~]+)'\)", text):
            assert file in assets(), f"{name}: {file}"
    for file, asset in assets().items():
        if file.endswith(".css"):
            for target in re.findall(r"url\(([^)]*)\)", asset.plain.decode()):
                assert not target or f"vendor/{target}" in assets(), f"{file}: {target}"
    with pytest.raises(KeyError):
        address("vendor/nothing.css")


@pytest.mark.parametrize("name", TEXTS)
def test_a_template_holds_nothing_inline_and_nothing_unescaped(name: str) -> None:
    text = re.sub(r"\{#.*?#\}", "", TEXTS[name], flags=re.DOTALL)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=|javascript:|\|\s*safe\b|autoescape", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!clinicaltrials\.gov)', text)


def test_what_ships_is_small() -> None:
    assert sum(len(asset.plain) for asset in assets().values()) < 600_000


def test_options_have_a_word_or_a_word_and_a_description() -> None:
    """Fields that are chosen from take both kinds of option, side by side."""
    fields = environment().from_string(
        '{% from "parts/form.html" import radio_group, checkbox_group %}'
        '{{ radio_group("r", "R", options) }}{{ checkbox_group("c", "C", options, ["a"]) }}'
    )
    html = fields.render(options=[("a", "Yes"), ("b", "No", "not at all"), ("c", "Other", "")])
    assert html.count('value="a"') == html.count('value="b"') == html.count('value="c"') == 2
    assert html.count("not at all") == html.count("__label-description") == 2
    assert html.count(" checked") == 1
