"""The provider ``webscraper``: the text of a page, fetched through the guarded client."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import httpx

from engine.tools.tool import MAX_TEXT, Parameter, Result, Tool, ToolContext, ToolProblem

_SECONDS = (10, 30, 10)  # connect, read, write
_AGENT = "difyspec"
_HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "iframe"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
    "td", "th", "tr", "ul",
})  # fmt: skip


class PageText(HTMLParser):
    """Collects the text a reader sees, a line for each block, and the page's title."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._lines: list[str] = [""]
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, or what is not to be seen."""
        self._in_title = tag == "title"
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag in _BLOCKS:
            self._lines.append("")

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        self._in_title = False
        if tag in self._hidden:
            # What was left open inside it ends with it.
            while self._hidden.pop() != tag:
                pass
        elif tag in _BLOCKS:
            self._lines.append("")

    def handle_data(self, data: str) -> None:
        """Take text."""
        if self._in_title:
            self.title += data.strip()
        elif not self._hidden:
            self._lines[-1] += data

    def text(self) -> str:
        """Return the page's text."""
        lines = (" ".join(line.split()) for line in self._lines)
        return "\n".join(line for line in lines if line)


def _fetch(arguments: Mapping[str, Any], context: ToolContext) -> Result:
    url = arguments["url"].strip()
    if not url.lower().startswith(("http://", "https://")):
        raise ToolProblem("The URL must begin with http:// or https://")
    headers = {"User-Agent": arguments.get("user_agent") or _AGENT, "Accept": "text/html, text/*;q=0.9, */*;q=0.1"}
    try:
        answer = context.http.get(url, headers=headers, timeout=_SECONDS, follow_redirects=True)
    except httpx.RequestError as error:
        raise ToolProblem(f"The page could not be fetched: {error}") from None
    if answer.status_code >= 400:
        raise ToolProblem(f"The page answered with the status {answer.status_code}")
    kind = {name.lower(): value for name, value in answer.headers.items()}.get("content-type", "").lower()
    if kind and not any(word in kind for word in ("text/", "html", "xml", "json")):
        raise ToolProblem(f"The page is not text but '{kind[:100]}'")
    if "html" not in kind:
        return Result(answer.text[:MAX_TEXT])
    page = PageText()
    page.feed(answer.text)
    page.close()
    title = f"TITLE: {page.title}\n" if page.title else ""
    return Result((title + page.text())[:MAX_TEXT])


TOOLS = (
    Tool(
        "webscraper", "webscraper", "Web page", "Fetches a web page and gives its text.",
        (Parameter("url", required=True, description="address of the page"), Parameter("user_agent")), _fetch,
    ),
)  # fmt: skip
