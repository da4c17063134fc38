from __future__ import annotations

import pytest

from generation.normal import norm_sha, normal_form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, world.", " Hello,  world "),
        ("Hello world", "Hello\n\nworld!"),
        ("ＡＢＣ１２３", "ABC123"),
        ("はい、そうです。", "はい,そうです"),
        ("東京 タワー", "東京タワー"),
        ("“so”", '"so"'),
        ("ｶﾀｶﾅ", "カタカナ"),
    ],
)
def test_equal_to_a_reader(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5", "35"),
        ("He can", "He can't"),
        ("ab c", "a bc"),
        ("はい", "いいえ"),
        ("!", ""),
        ("Polish", "polish"),
    ],
)
def test_not_equal_to_a_reader(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_where_a_turn_ends_matters() -> None:
    assert norm_sha(["a", "b"]) != norm_sha(["ab"]) != norm_sha(["a b"])
