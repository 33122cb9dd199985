"""Texts from outside are shown without what a terminal obeys, and without secrets."""

import json

import pytest

from pipeline.untrusted import hide_secrets, is_integer, is_number, is_text, plain_text, safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\u001b[31mred\\u0007"),
        ("a\x9b2Jb", "a\\u009b2Jb"),
        ("gnp.\u202eexe", "gnp.\\u202eexe"),
        ("line\r\nline", "line\\u000d\\u000aline"),
        ("lone \ud800", "lone \\ud800"),
        ("初音ミク é 🎨", "初音ミク é 🎨"),
        ("see https://ann:pw@example.org/a@b.png, or", "see https://example.org/a@b.png, or"),
        ("https://ann:p@w@example.org/a", "https://example.org/a"),
        ("ann@example.org // said me@example.org", "ann@example.org // said me@example.org"),
    ],
)
def test_a_text_is_shown_without_what_a_terminal_obeys_and_without_logins(text, shown):
    assert safe_text(text) == shown
    assert safe_text(shown) == shown


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "token", "access_token", "signature", "X-Amz-Signature", "X-Amz-Security-Token", "sig",
        "hm", "AWSAccessKeyId_secret", "password", "PASS", "X-Goog-Credential", "auth", "Policy", "session",
    ],
)  # fmt: skip
def test_the_value_of_a_secret_parameter_is_hidden_and_no_other(name):
    url = f"https://example.org/a.png?width=9&{name}=s3cr%2Bt-._~&tags=hat#top"
    assert hide_secrets(url) == f"https://example.org/a.png?width=9&{name}=***&tags=hat#top"


def test_json_with_a_secret_stays_json():
    told = json.dumps({"why": 'https://example.org/?key=s3cr"et\\n', "next": "\u202e"}, ensure_ascii=False)
    assert json.loads(safe_text(told)) == {"why": 'https://example.org/?key=***"et\\n', "next": "\u202e"}


def test_a_plain_text_has_one_line_and_can_be_encoded():
    assert plain_text("a\tb\nc\x1bd\ud800") == "a b c\ufffdd\ufffd"
    plain_text("".join(map(chr, range(0x11000)))).encode()


def test_numbers_have_bounds():
    assert [*map(is_integer, (0, 2**53 - 1, 2**53, -1, True, 1.0, "1"))] == [True, True, *[False] * 5]
    assert [*map(is_number, (-7, 6.1, float("nan"), float("inf"), 10**400, True))] == [
        True,
        True,
        *[False] * 4,
    ]
    assert [*map(is_text, ("", "x" * 1_000_000, "x" * 1_000_001, "\ud800", 5))] == [True, True, *[False] * 3]
