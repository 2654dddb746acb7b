"""The text of a form as HTML: Markdown is drawn, and nothing that a stranger wrote does more than be read."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from web.markdown import MOST, render

TAGS = {
    "p", "br", "a", "em", "strong", "s", "code", "pre", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote",
    "hr", "div", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "rel", "target", "title"}, "pre": {"tabindex"}, "div": {"class", "tabindex"}, "th": {"class"},
    "td": {"class"}, "ol": {"start"},
}  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe src=//e.vil>",
    "<a href=javascript:alert(1)>x</a>", "<style>*{display:none}</style>", "<form action=//e.vil><button>x</button>",
    "<base href=//e.vil>", "<meta http-equiv=refresh content='0;url=//e.vil'>", "<!--><script>alert(1)</script>-->",
    "<b onmouseover=alert(1)>x</b>", "<input autofocus onfocus=alert(1)>", "<math><mi xlink:href='javascript:1'>",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java&#10;script:alert(1))", "[x](&#106;avascript:1)",
    "[x](java\tscript:alert(1))", "[x](<javascript:alert(1)>)", "[x](\x01javascript:alert(1))", "[x](vbscript:1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)", "[x](file:///etc/passwd)", "[x](blob:https://a/b)", "[x](//e.vil)",
    "[x](/signout)", "[x](#main)", "[x](?a)", "[x](https:evil)", "[x](http://[)", "[x](view-source:https://a)",
    "<javascript:alert(1)>", "<data:text/html,x>", "[x]: javascript:alert(1)\n[x]", "[x]\n\n[x]: <data:text/html,y>",
    "![x](https://e.vil/pixel.png)", "![x](javascript:alert(1))", "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
    "![](https://e.vil/p?a=1)", "[![x](https://e.vil/p)](https://a.example)", '![x](https://e.vil/" onerror="alert(1))',
    '[x](https://a.example/"onmouseover="alert(1))', "[x](https://a.example 'y\" onclick=\"alert(1)')",
    "```\"><script>alert(1)</script>\nx\n```", "`<script>alert(1)</script>`", "    <script>alert(1)</script>",
    "|a|\n|:-:|\n|<img src=x onerror=alert(1)>|", "# <script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<<script>alert(1)//<</script>", "<scr\0ipt>alert(1)</scr\0ipt>", "[a](<https://x/\"onload=1>)", "\\<script>",
    "<https://e.vil/\"onmouseover=alert(1)>", "<p style='background:url(//e.vil)'>", "{{#$output.<script>#}}",
    "[x](https://a.example\u202e)", "<ſcript>alert(1)</ſcript>", "</form><form action=//e.vil>", "*" * 300 + "<b>",
]  # fmt: skip


class Elements(HTMLParser):
    """Every element, with its attributes, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def test_a_picture_is_shown_if_it_is_ours_and_is_a_link_if_it_is_not() -> None:
    ours = "http://ours.test/files/1?sign=a.b"
    shown = render(f'![a "cat"]({ours}) ![b](https://e.vil/p) [![c]({ours})](https://x.example)', str, ours.__eq__)
    found = Elements(shown).found
    assert [(tag, one["src"], one["alt"]) for tag, one in found if tag == "img"] == [
        ("img", ours, 'a "cat"'),
        ("img", ours, "c"),
    ]
    assert [one["href"] for tag, one in found if tag == "a"] == [ours, "https://e.vil/p", "https://x.example"]


@pytest.mark.parametrize("text", [*HOSTILE, "\n\n".join(HOSTILE), "x" * MOST + "\n\n".join(HOSTILE)])
def test_hostile_words_stay_words(text: str) -> None:
    for tag, attributes in Elements(render(text, lambda name: "")).found:
        assert tag in TAGS
        assert attributes.keys() <= ATTRIBUTES.get(tag, set())
        if tag == "a":
            assert str(attributes["href"]).lower().startswith(("https://", "http://", "mailto:"))
            assert attributes["target"] == "_blank"
            assert "noopener" in str(attributes["rel"])


def test_markdown_is_drawn() -> None:
    page = render("# Title\n\nOne *two* **three** ~~four~~\nfive\n\n- a\n- b\n\n|a|b|\n|-|-:|\n|1|2|", lambda name: "")
    tags = [tag for tag, _ in Elements(page).found]
    assert tags[:7] == ["h2", "p", "em", "strong", "s", "br", "ul"]
    assert '<td class="at-right">2</td>' in page


def test_an_image_is_a_link_because_nothing_is_loaded_from_elsewhere() -> None:
    page = render("![A *bee*](https://img.example/bee.png)", lambda name: "")
    assert page.startswith('<p><a href="https://img.example/bee.png"')
    assert ">A bee</a>" in page


def test_each_mark_of_a_field_is_replaced_where_it_stands() -> None:
    seen: list[str] = []

    def place(name: str) -> str:
        seen.append(name)
        return f"<input name={name}>"

    page = render("One {{#$output.a#}} two\n\n- *{{#$output.b_c#}}*\n\n|h|\n|-|\n|{{#$output.d#}}|", place)
    assert seen == ["a", "b_c", "d"]
    assert "<p>One <input name=a> two</p>" in page
    assert "<em><input name=b_c></em>" in page
    assert "<td><input name=d></td>" in page


@pytest.mark.parametrize("text", ["`{0}`", "```\n{0}\n```", "[{0}](https://a.example)", "![{0}](https://a.example/b)"])
def test_a_mark_in_code_or_in_a_link_is_no_place_for_a_field(text: str) -> None:
    def place(name: str) -> str:
        raise AssertionError(name)

    assert "input" not in render(text.format("{{#$output.input_#}}"), place).replace("$output.input_", "")


def test_a_very_long_text_is_shown_as_it_is_with_its_fields() -> None:
    page = render("[" * MOST + "<b>{{#$output.a#}}", lambda name: "<input>")
    assert page.startswith('<div class="text">[[')
    assert page.endswith("&lt;b&gt;<input></div>")
