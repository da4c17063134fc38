from __future__ import annotations

import pytest

from generation import render


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a** and *b*", "<p><strong>a</strong> and <em>b</em></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("# Title", "<h3>Title</h3>"),
        ("###### Title", "<h3>Title</h3>"),
        ("`x < y`", "<p><code>x &lt; y</code></p>"),
        ("こんにちは。", "<p>こんにちは。</p>"),
        ("3. three", '<ol start="3">\n<li>three</li>\n</ol>'),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert render.to_html(text) == html


def test_code_and_tables_scroll_by_keyboard_in_their_own_box() -> None:
    assert render.to_html("```py\nx = 1 < 2\n```") == '<pre tabindex="0"><code>x = 1 &lt; 2\n</code></pre>'
    table = render.to_html("|a|b|\n|:-|-:|\n|1|2|")
    assert table.startswith('<div class="table" tabindex="0"><table>') and table.endswith("</table></div>")
    assert "style" not in table


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "![a](https://example.com/a.png)",
        "[a](https://example.com)",
        "<https://example.com>",
        "<a href='https://example.com'>a</a>",
        "<style>body{display:none}</style>",
        "<div class='table' style='position:fixed'>x</div>",
        "```<script>\nx\n```",
        "<!-- --><iframe src=//example.com>",
    ],
)
def test_nothing_of_the_text_becomes_markup(text: str) -> None:
    html = render.to_html(text)
    for tag in ("<script", "<img", "<a", "<style", "<div", "<iframe", "<!--"):
        assert tag not in html


def test_a_link_stays_as_text_with_its_address() -> None:
    assert render.to_html("[here](https://example.com/?a=1&b=2)") == (
        "<p>here (https://example.com/?a=1&amp;b=2)</p>"
    )
    assert render.to_html("<https://example.com>") == "<p>https://example.com</p>"


def test_deep_nesting_ends() -> None:
    assert len(render.to_html("> " * 5000 + "a")) < 100_000
