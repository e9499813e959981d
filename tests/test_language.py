"""Korean for those whose environment says so."""

import pytest

from pipeline.language import in_language, is_korean


@pytest.mark.parametrize(
    ("variables", "korean"),
    [
        ({}, False),
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, False),
        ({"LC_MESSAGES": "ko_KR.UTF-8", "LANG": "en_US.UTF-8"}, True),
        ({"KC_LANG": "ko", "LC_ALL": "C"}, True),
        ({"KC_LANG": "KO"}, True),
        ({"KC_LANG": "en", "LANG": "ko_KR.UTF-8"}, False),
        ({"KC_LANG": "", "LANG": "ko_KR.UTF-8"}, True),
    ],
)
def test_the_first_variable_that_is_set_decides(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], korean: bool
) -> None:
    for name in ("KC_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_korean() == korean
    assert in_language("yes", "네") == ("네" if korean else "yes")
