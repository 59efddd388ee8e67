"""docs/runbook.md as a page: the small part of Markdown that it is written in.

Headings, paragraphs, lists, fenced code; inside a line code, strong and links. Everything
else is text, and all text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

_FENCE = re.compile(r"\s*```")
_HEADING = re.compile(r"(#{1,4})\s+(.*)")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+(.*)")
_NUMBERED = re.compile(r"\s*\d+\.\s")
_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_LINK = re.compile(r"\[([^\]]+)\]\(((?:https?://|#|/)[^)\s]+)\)")


def anchor_of(heading: str) -> str:
    """The anchor of a heading, as code hosts make it: lower case, dashes for blanks."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


def _inline(text: str) -> str:
    html: str = escape(text)
    html = _CODE.sub(r"<code>\1</code>", html)
    html = _STRONG.sub(r"<strong>\1</strong>", html)
    return _LINK.sub(r'<a href="\2">\1</a>', html)


def to_html(source: str) -> SafeString:
    """The source as HTML."""
    lines = source.splitlines()
    return mark_safe("\n".join(_blocks(lines)))  # noqa: S308  every text went through escape()


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif _FENCE.match(line):
            end = _end(lines, at + 1, lambda text: bool(_FENCE.match(text)))
            yield '<pre class="output">' + escape("\n".join(lines[at + 1 : end])) + "</pre>"
            at = end + 1
        elif heading := _HEADING.match(line):
            level, text = len(heading[1]), heading[2].strip()
            yield f'<h{level} id="{escape(anchor_of(text))}">{_inline(text)}</h{level}>'
            at += 1
        else:
            end = _end(lines, at, _ends_paragraph)
            yield _paragraph_or_list(lines[at:end])
            at = end


def _ends_paragraph(line: str) -> bool:
    return not line.strip() or bool(_HEADING.match(line) or _FENCE.match(line))


def _end(lines: list[str], at: int, is_end: Callable[[str], bool]) -> int:
    while at < len(lines) and not is_end(lines[at]):
        at += 1
    return at


def _paragraph_or_list(lines: list[str]) -> str:
    if not _ITEM.match(lines[0]):
        return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"
    items: list[str] = []
    for line in lines:
        if item := _ITEM.match(line):
            items.append(item[1].strip())
        else:
            items[-1] += " " + line.strip()
    tag = "ol" if _NUMBERED.match(lines[0]) else "ul"
    return f"<{tag}>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</{tag}>"
