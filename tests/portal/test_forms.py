"""The name rule at each of its bounds, the counter, suggested names, and what the API refuses beside its field."""

import re
from typing import Any

import pytest
from django import forms

from barrack_web.alerts import Alert
from barrack_web.forms import NAME_LENGTH, BarrackForm, DescriptionField, NameField, SelectWithReasons, suggest_name

ALLOWED = re.compile(r"[A-Za-z0-9 ._-]{1,50}")


class NamedForm(BarrackForm):
    """A form as the portal's own are."""

    wire = {"new_vm_name": "name"}
    name = NameField(noun="VM", taken={"prod"})
    description = DescriptionField(label="Description")


def name_of(value: Any) -> str:
    return str(NameField(noun="VM", taken={"prod"}).clean(value))


def refusal(value: Any) -> forms.ValidationError:
    with pytest.raises(forms.ValidationError) as caught:
        name_of(value)
    return caught.value


@pytest.mark.feature("NAV-20", "SNAP-32")
@pytest.mark.parametrize(
    "value",
    ["a", "7", "-", "a" * 49, "a" * 50, "abc XYZ 0-9 _.", "..", "a  b", "<script>".strip("<>"), "Prod", "prod2"],
)
def test_it_takes_a_name_within_the_rule(value: str) -> None:
    assert name_of(value) == value


@pytest.mark.feature("NAV-20", "SNAP-18", "SNAP-32")
@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        (None, "required", "Enter a name."),
        ("", "required", "Enter a name."),
        ("   ", "required", "Enter a name."),
        ("a" * 51, "max_length", "at most 50 characters; this has 51"),
        ("a" * 10_000, "max_length", "this has 10000"),
        ("a/b", "invalid", "Not allowed: “/”"),
        ("a\\b", "invalid", "“\\”"),
        ("rocket🚀", "invalid", "“🚀”"),
        ("müller", "invalid", "“ü”"),
        ("<b>", "invalid", "“<”, “>”"),
        ("name\n", "invalid", "a line break"),
        ("name\r\n", "invalid", "a line break"),
        ("\tname", "invalid", "the invisible character U+0009"),
        ("a\u200bb", "invalid", "U+200B"),
        ("a\u202eb", "invalid", "U+202E"),
        ("a\u00a0b", "invalid", "U+00A0"),
        ("a\x00b", "invalid", "U+0000"),
        ("ａbc", "invalid", "“ａ”"),
        ("٣", "invalid", "“٣”"),
        ("prod", "taken", "A VM named “prod” already exists"),
        (" prod ", "taken", "already exists"),
    ],
)
def test_it_refuses_a_name_outside_the_rule_and_says_why(value: Any, code: str, words: str) -> None:
    error = refusal(value)
    assert error.error_list[0].code == code
    assert words in error.messages[0]


def test_it_drops_spaces_at_both_ends_and_nothing_else() -> None:
    assert name_of("  a b  ") == "a b"
    assert name_of(" " * 30 + "a" * 50 + " ") == "a" * 50


def test_it_names_each_wrong_character_once_and_not_too_many() -> None:
    message = refusal("/" * 20 + "!#$%&()").messages[0]
    assert message.count("“/”") <= 1
    assert message.count("“") == 5


@pytest.mark.feature("NAV-19")
@pytest.mark.parametrize(("value", "counter"), [("a" * 25, "25/50"), ("", "0/50"), ("a" * 51, "51/50")])
def test_it_counts_what_was_typed_without_javascript(value: str, counter: str) -> None:
    html = NamedForm({"name": value})["name"].as_field_group()
    words = re.sub(r"<[^>]+>", "", html)
    assert f"Characters: {counter}" in words
    assert f'value="{value}"' in html or not value


def test_it_counts_an_empty_form_from_zero_and_a_suggestion_from_its_length() -> None:
    assert "0/50" in NamedForm()["name"].as_field_group()
    assert "13/50" in NamedForm(initial={"name": "prod-restored"})["name"].as_field_group()


def test_it_tells_assistive_technology_what_is_wrong() -> None:
    html = NamedForm({"name": "a/b"})["name"].as_field_group()
    assert 'aria-invalid="true"' in html
    described = re.search(r'aria-describedby="([^"]+)"', html)
    assert described
    for target in described.group(1).split():
        assert f'id="{target}"' in html, target


def test_it_shows_what_was_typed_as_text() -> None:
    html = NamedForm({"name": '"><script>alert(1)</script>'})["name"].as_field_group()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.feature("SNAP-31")
@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("prod", "prod-restored"),
        ("a" * 41, "a" * 41 + "-restored"),
        ("a" * 42, "a" * 41 + "-restored"),
        ("a" * 50, "a" * 41 + "-restored"),
    ],
)
def test_it_suggests_a_name_that_fits(base: str, expected: str) -> None:
    assert suggest_name(base, "-restored") == expected
    assert len(expected) <= NAME_LENGTH


@pytest.mark.parametrize(
    "base",
    [
        "",
        " ",
        "   ",
        "<script>alert(1)</script>",
        "x" * 10_000,
        "🚀" * 60,
        "\u202eabc",
        "a\nb",
        "é" * 41,
        " " * 60,
        "a" * 40 + "  b",
    ],
)
@pytest.mark.parametrize("suffix", ["-restored", "-image"])
def test_it_suggests_only_names_that_the_rule_takes(base: str, suffix: str) -> None:
    taken: set[str] = set()
    for _ in range(12):
        name = suggest_name(base, suffix, taken)
        assert ALLOWED.fullmatch(name), name
        assert name not in taken
        # what is suggested is what the field takes, unchanged
        assert NameField(noun="VM", taken=taken).clean(name) == name
        taken.add(name)


def test_it_numbers_a_suggestion_whose_name_is_in_use() -> None:
    assert suggest_name("prod", "-restored", {"prod-restored"}) == "prod-restored-2"
    assert suggest_name("prod", "-restored", {"prod-restored", "prod-restored-2"}) == "prod-restored-3"
    long = suggest_name("a" * 50, "-restored", {"a" * 41 + "-restored"})
    assert long == "a" * 39 + "-restored-2"
    assert len(long) == NAME_LENGTH


def test_it_gives_up_numbering_with_a_name_that_fits() -> None:
    taken = {"prod-restored", *(f"prod-restored-{number}" for number in range(2, 1001))}
    assert ALLOWED.fullmatch(suggest_name("prod", "-restored", taken))


@pytest.mark.parametrize("text", ["", "Vor dem Umzug: ärgerlich 🚀\nzweite Zeile", "x" * 10_000])
def test_it_takes_a_description_in_any_language(text: str) -> None:
    assert DescriptionField(label="Description").clean(text) == text


def test_it_refuses_a_description_over_its_bound() -> None:
    with pytest.raises(forms.ValidationError, match="at most 10,000 characters; this has 10,001"):
        DescriptionField(label="Description").clean("x" * 10_001)


def test_it_gives_the_reason_of_an_option_that_is_off() -> None:
    widget = SelectWithReasons(choices=[("a", "VM a"), ("b", "VM b")])
    widget.off = {"b": "stopped"}
    html = widget.render("vm", "a")
    assert re.search(r'<option value="b"[^>]*\sdisabled[^>]*>VM b – stopped</option>', html)
    assert re.search(r'<option value="a" selected>VM a</option>', html)


def test_it_shows_a_refusal_of_the_api_at_its_field() -> None:
    form = NamedForm({"name": "free"})
    assert form.is_valid()
    alert = Alert(title="No", text="Taken", fields={"new_vm_name": "is taken", "unheard_of": "is odd"})
    form.add_api_error(alert)
    assert form.errors == {"name": ["is taken"]}
    assert form.alert is alert
    assert form["name"].value() == "free"
