"""A competition's slug, from whatever a person pastes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.slugs import is_address, read_slug

SLUGS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}", fullmatch=True)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.kaggle.com/competitions/titanic",
        "https://www.kaggle.com/competitions/titanic/",
        "https://www.kaggle.com/competitions/titanic/data?select=train.csv#files",
        "http://kaggle.com/c/titanic/overview/evaluation",
        "www.kaggle.com/c/titanic?tab=rules",
        "kaggle.com/competitions/titanic#description",
        "  https://www.kaggle.com/competitions/titanic\n",
    ],
)
def test_an_address_has_a_slug(address):
    assert is_address(address)
    assert read_slug(address) == "titanic"


@pytest.mark.parametrize(
    "text",
    [
        "", "https://www.kaggle.com", "https://www.kaggle.com/datasets/titanic",
        "https://example.com/competitions/titanic", "https://kaggle.com.evil.org/c/titanic",
        "two words", "../titanic", "titanic/data", "https://www.kaggle.com/competitions/",
    ],
)  # fmt: skip
def test_anything_else_has_none(text):
    assert not is_address(text)
    assert read_slug(text) is None


@given(SLUGS, st.sampled_from(["competitions", "c"]), st.sampled_from(["", "/", "/data", "?a=b"]))
def test_a_slug_is_its_own_and_that_of_its_address(slug, kind, rest):
    assert read_slug(slug) == slug
    assert read_slug(f"https://www.kaggle.com/{kind}/{slug}{rest}") == slug


@given(st.text(max_size=60))
def test_whatever_is_given_a_slug_has_only_letters_digits_and_dashes(text):
    slug = read_slug(text)
    assert slug is None or all(letter.isalnum() or letter in "-_" for letter in slug)
