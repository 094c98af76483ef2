# ruff: noqa: RUF001  (letters that look like others are the point)
from __future__ import annotations

import pytest

from zoo.inputs.clean import clean_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n\u3000", []),
        ("A  Dog", ["a", "dog"]),
        ("a\x00b \x1b[31mred\x1b[0m", ["ab", "red"]),
        ("line\r\nbreak", ["line", "break"]),
        ("&amp;lt;b&amp;gt;", ["<b>"]),
        ("&amp;amp;amp; <", ["&amp;", "<"]),  # twice and no more; ftfy leaves markup alone
        ("cafÃ© cafe\u0301", ["café", "café"]),
        ("“ﬁne”", ['"fine"']),
        ("ΑΣ ΑΣΑ", ["ας", "ασα"]),  # a final sigma is final in its own word
    ],
)
def test_clean_words(text: str, words: list[str]) -> None:
    assert clean_words(text) == words


def test_plain_ascii_needs_no_mending() -> None:
    """The premise of the short way: ftfy and unescaping leave each such character alone."""
    import html

    import ftfy

    plain = "".join(map(chr, range(0x20, 0x7F))).replace("&", "")
    assert html.unescape(html.unescape(ftfy.fix_text(plain))) == plain
