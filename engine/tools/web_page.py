"""The provider ``webscraper``: the text of a page, fetched through the guarded client."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import httpx

from engine.tools.tool import MAX_TEXT, Parameter, Result, Tool, ToolContext, ToolProblem

_SECONDS = (10, 30, 10)  # connect, read, write
_AGENT = "difyspec"
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,500})</title", re.IGNORECASE)
_HEAD = 20_000  # characters in which the title is looked for


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
    source = answer.text
    try:
        # Elsewhere, because a page may be made to take its parser a very long time.
        text = context.html(source.encode())
    except ValueError as refused:
        raise ToolProblem(f"The page could not be read: {refused}") from None
    title = _TITLE.search(source[:_HEAD])
    head = f"TITLE: {html.unescape(' '.join(title[1].split()))}\n" if title else ""
    return Result((head + text)[:MAX_TEXT])


TOOLS = (
    Tool(
        "webscraper", "webscraper", "Web page", "Fetches a web page and gives its text.",
        (Parameter("url", required=True, description="address of the page"), Parameter("user_agent")), _fetch,
    ),
)  # fmt: skip
