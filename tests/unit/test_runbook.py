"""The small part of Markdown that the runbook is written in."""

from __future__ import annotations

import pytest

from console.runbook import anchor_of, to_html


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("# Title", '<h1 id="title">Title</h1>'),
        ("## host-key-changed", '<h2 id="host-key-changed">host-key-changed</h2>'),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("- a\n  more\n- b", "<ul><li>a more</li><li>b</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("```sh\na < b\n```\nend", '<pre class="output">a &lt; b</pre>\n<p>end</p>'),
        ("```\nnever closed", '<pre class="output">never closed</pre>'),
        ("`x` **y**", "<p><code>x</code> <strong>y</strong></p>"),
        ("[here](/runbook/)", '<p><a href="/runbook/">here</a></p>'),
        ("[no](javascript:alert(1))", "<p>[no](javascript:alert(1))</p>"),
        ("<b>&", "<p>&lt;b&gt;&amp;</p>"),
        ("text\n## Head", '<p>text</p>\n<h2 id="head">Head</h2>'),
        ("", ""),
    ],
)
def test_source_becomes_html(source: str, html: str) -> None:
    assert to_html(source) == html


def test_anchors_are_made_as_code_hosts_make_them() -> None:
    assert anchor_of("What it Means, and: why") == "what-it-means-and-why"
