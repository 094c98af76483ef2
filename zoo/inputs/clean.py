"""What open_clip does to a text before it cuts it into words."""

from __future__ import annotations

import html

import ftfy


def clean_words(text: str) -> list[str]:
    """Mend broken encodings, resolve HTML entities, lower the case, and split at white space.

    The text is unescaped twice, since captions from the web are often escaped twice.
    """
    if not _is_plain(text):
        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return text.lower().split()


def _is_plain(text: str) -> bool:
    """Whether mending cannot change the text: it costs ten times what the rest does together."""
    return text.isascii() and text.isprintable() and "&" not in text
