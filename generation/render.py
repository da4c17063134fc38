"""Markdown of prompts and answers to safe HTML, once, when they are stored."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

# Raise it when the same text gives other HTML.
HTML_VERSION = 1

_TAGS = {
    "p", "br", "hr", "h3", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s",
    "div", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_ATTRIBUTES = {"div": {"tabindex"}, "pre": {"tabindex"}, "ol": {"start"}}


def to_html(text: str) -> str:
    """Safe to put on a page as it is. No links, images or markup of the text's own can come out."""
    html = _markdown().render(text)
    # The second lock: even if the Markdown library let something through, only these tags are left.
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes={"div": {"table"}},
        link_rel=None,
        clean_content_tags={"script", "style"},
    ).strip()


def turns_to_html(texts: Sequence[str]) -> list[str]:
    return [to_html(text) for text in texts]


class _Renderer(RendererHTML):
    """Headings do not compete with the page's own; wide blocks scroll, also by keyboard; links stay text."""

    def heading_open(self, *_: Any) -> str:
        return "<h3>"

    def heading_close(self, *_: Any) -> str:
        return "</h3>\n"

    def table_open(self, *_: Any) -> str:
        return '<div class="table" tabindex="0"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def fence(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return self.code_block(tokens, idx, options, env)

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return f'<pre tabindex="0"><code>{_escape(tokens[idx].content)}</code></pre>\n'

    def link_open(self, *_: Any) -> str:
        return ""

    def link_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        """A blind page has no way out, but the address is part of the answer: it follows as text."""
        opening = next(token for token in reversed(tokens[:idx]) if token.type == "link_open")
        address = str(opening.attrs.get("href", ""))
        shown = "".join(token.content for token in tokens[tokens.index(opening) : idx])
        return "" if address in ("", shown) or opening.markup == "autolink" else f" ({_escape(address)})"


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "linkify": False}, renderer_cls=_Renderer
    )
    return markdown.enable(["table", "strikethrough"]).disable(["image"])


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
