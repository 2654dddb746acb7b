"""The text of a form, Markdown (CommonMark, with tables and struck text), as HTML that can do no harm.

It is written by the author of an app, but what a model or a stranger said may stand in it. So: HTML in it stays
words; a link leads to ``http``, ``https`` or ``mailto`` only, and out of this page; an image is shown if it is one of
this server's files, else it is a link, since nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from engine.forms.told import PLACE

# Characters that are read as Markdown: some texts take their length squared, and these still take half a second.
MOST = 50_000
FOLLOWED = ("http", "https", "mailto")
# The page itself has the first level.
_LOWER = {"h1": "h2", "h2": "h3", "h3": "h4", "h4": "h5", "h5": "h6"}
Place = Callable[[str], str]


def render(text: str, place: Place, is_ours: Callable[[str], bool] = lambda url: False) -> Markup:
    """Return the text as HTML. ``place`` gives the HTML of what ``{{#$output.name#}}`` marks; it is called once
    for each mark that is shown, in order: those in code, and in the words of links and images, stay words. A text
    of more than ``MOST`` characters is shown as it is. ``is_ours`` says which addresses are files of this server.
    """
    if len(text) > MOST:
        return Markup('<div class="text">{}</div>').format(_plain(text, place))
    return Markup(_MARKDOWN.render(text, {"place": place, "is_ours": is_ours}))  # noqa: S704 - the renderer escapes what is not its own


def _plain(text: str, place: Place) -> Markup:
    pieces = PLACE.split(text)  # words and names by turns
    return Markup("").join(Markup(place(one)) if at % 2 else one for at, one in enumerate(pieces))  # noqa: S704


class _Html(RendererHTML):
    def heading_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f"<{_LOWER.get(tokens[at].tag, 'h6')}>"

    def heading_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f"</{_LOWER.get(tokens[at].tag, 'h6')}>\n"

    def link_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        env["is_link"] = True
        link = tokens[at]
        link.attrs = {"href": link.attrs["href"], "rel": "noopener noreferrer nofollow", "target": "_blank"}
        return self.renderToken(tokens, at, options, env)

    def link_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        env["is_link"] = False
        return "</a>"

    def image(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        image = tokens[at]
        words = self.renderInlineAsText(image.children, options, env)
        url = str(image.attrs["src"])
        shown = Markup('<img src="{}" alt="{}">').format(url, words) if env["is_ours"](url) else escape(words or url)
        if env.get("is_link"):
            return str(shown)
        return str(Markup('<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>').format(url, shown))

    def form_field(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        shown: str = env["place"](tokens[at].content)
        return shown

    def code_block(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        # Long lines scroll by themselves, so the keyboard must get there.
        return str(Markup('<pre tabindex="0"><code>{}</code></pre>\n').format(tokens[at].content))

    def fence(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return self.code_block(tokens, at, options, env)

    def table_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return '<div class="scroll" tabindex="0"><table>\n'

    def td_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        # It comes as a style, which the page's policy forbids.
        side = str(tokens[at].attrs.get("style", "")).removeprefix("text-align:")
        tokens[at].attrs = {"class": f"at-{side}"} if side in ("left", "center", "right") else {}
        return self.renderToken(tokens, at, options, env)

    th_open = td_open

    def table_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return "</table></div>\n"


def _mark(state: StateInline, silent: bool) -> bool:
    """The rule for a field's mark."""
    found = PLACE.match(state.src, state.pos)
    if found is None or state.linkLevel:
        return False
    if not silent:
        state.push("form_field", "", 0).content = found[1]
    state.pos = found.end()
    return True


def _leads_out(url: str) -> bool:
    """Whether a link may be followed: a whole address of a kind that runs nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in FOLLOWED and bool(parts.netloc or parts.scheme == "mailto")


def _build() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Html)
    made.enable(["table", "strikethrough"])
    made.inline.ruler.before("escape", "form_field", _mark)
    made.validateLink = _leads_out  # type: ignore[method-assign]
    return made


_MARKDOWN = _build()
