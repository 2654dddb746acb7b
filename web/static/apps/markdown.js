// Text that models write, as elements: marked reads the Markdown, and what it found is made here out of text and a
// few elements. No markup of the text itself ever becomes an element.

import { Lexer, Marked } from "../marked-18.2.1.js";
import { follows, link, make, picture } from "./dom.js";

const MOST = 50000; // characters that are read as Markdown; the forms' own page has the same bound
const LONGEST = 5000; // characters of one paragraph: some take their length squared to read
const LOWEST = 6, UNDER = 2; // the page has its own headings above
const ENTITY = /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][\da-z]{1,31});/gi;
const entities = new DOMParser();

/** What a model thought aloud, between `<think>` and `</think>`; without its end, to the end of the text. */
const THOUGHTS = {
  name: "thoughts",
  level: "block",
  start: (text) => text.match(/<think>/)?.index,
  tokenizer(text) {
    const found = /^\s*<think>([^]*?)(<\/think>\s*|$)/.exec(text);
    return found && { type: "thoughts", raw: found[0], text: found[1].trim(), isOver: Boolean(found[2]) };
  },
};

/** Leaves what stands in a paragraph that is too long as it is. */
class Reader extends Lexer {
  inlineTokens(text, tokens = []) {
    if (text.length <= LONGEST) return super.inlineTokens(text, tokens);
    tokens.push({ type: "text", raw: text, text });
    return tokens;
  }
}

const options = new Marked({ extensions: [THOUGHTS] }).defaults;

/** A place on the page that shows a text, and shows it again as it grows. */
export class Written {
  #drawn = [];

  constructor(element) {
    this.element = element;
    element.replaceChildren();
    element.classList.add("prose", "text");
  }

  /** Show the text. Of what was shown before only the blocks that differ are made anew. */
  show(text) {
    if (text.length > MOST) return this.#plain(text);
    try {
      this.#draw(read(text));
    } catch {
      // Lists in lists and quotes in quotes go deeper than the browser can follow: the words are there all the same.
      this.#plain(text);
    }
  }

  #draw(blocks) {
    if (this.#drawn.length === 1 && this.#drawn[0] === null) this.#clear();
    let same = 0;
    while (same < blocks.length && this.#drawn[same] === blocks[same].raw) same += 1;
    while (this.element.childNodes.length > same) this.element.lastChild.remove();
    this.element.append(...blocks.slice(same).map((one) => BLOCKS[one.type]?.(one) ?? make("p", "", one.raw)));
    this.#drawn = blocks.map((one) => one.raw);
  }

  #plain(text) {
    if (this.#drawn[0] !== null || !text.startsWith(this.element.textContent)) {
      this.#clear();
      this.#drawn = [null];
      this.element.append(document.createTextNode(""));
    }
    const node = this.element.firstChild;
    node.appendData(text.slice(node.length));
  }

  #clear() {
    this.element.replaceChildren();
    this.#drawn = [];
  }
}

function read(text) {
  return new Reader(options).lex(text).filter((one) => one.type !== "space" && one.type !== "def");
}

const BLOCKS = {
  paragraph: (one) => filled("p", one),
  text: (one) => (one.tokens ? filled("span", one) : make("span", "", plain(one.text))),
  heading: (one) => filled(`h${Math.min(one.depth + UNDER, LOWEST)}`, one),
  blockquote: (one) => filled("blockquote", one),
  hr: () => make("hr"),
  html: (one) => make("p", "", one.raw.trimEnd()),
  code(one) {
    const box = make("pre");
    // Long lines scroll by themselves, so the keyboard must get there.
    box.tabIndex = 0;
    box.append(make("code", "", one.text));
    return box;
  },
  list(one) {
    const list = make(one.ordered ? "ol" : "ul");
    if (one.ordered && one.start !== 1) list.start = one.start;
    list.append(...one.items.map((item) => filled("li", item)));
    return list;
  },
  table(one) {
    const row = (cells, tag) => {
      const made = make("tr");
      made.append(...cells.map((cell) => {
        const box = filled(tag, cell);
        if (cell.align) box.className = `at-${cell.align}`;
        return box;
      }));
      return made;
    };
    const box = make("div", "scroll"), table = make("table"), head = make("thead"), body = make("tbody");
    box.tabIndex = 0;
    head.append(row(one.header, "th"));
    body.append(...one.rows.map((cells) => row(cells, "td")));
    table.append(head, body);
    box.append(table);
    return box;
  },
  thoughts(one) {
    const box = make("details", "thoughts");
    box.append(make("summary", "", one.isOver ? "Thoughts" : "Thinking…"), make("p", "", one.text));
    return box;
  },
};

const INLINE = {
  text: (one) => (one.tokens ? inline(one.tokens) : document.createTextNode(plain(one.text))),
  escape: (one) => document.createTextNode(one.text),
  strong: (one) => filled("strong", one),
  em: (one) => filled("em", one),
  del: (one) => filled("del", one),
  codespan: (one) => make("code", "", one.text),
  br: () => make("br"),
  html: (one) => (/^<br\s*\/?>$/i.test(one.raw) ? make("br") : document.createTextNode(one.raw)),
  checkbox: (one) => document.createTextNode(one.checked ? "☑ " : "☐ "),
  link(one) {
    if (!follows(one.href)) return document.createTextNode(one.raw);
    const made = link(one.href, "");
    made.replaceChildren(inline(one.tokens));
    // A picture is a link of its own elsewhere.
    for (const inner of made.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
    return made;
  },
  image: (one) => picture(one.href, one.text),
};

function filled(tag, { tokens }) {
  const element = make(tag);
  element.append(inline(tokens ?? []));
  return element;
}

function inline(tokens) {
  const made = document.createDocumentFragment();
  for (const one of tokens) {
    if (one.type === "space" || one.type === "def") continue;
    made.append((INLINE[one.type] ?? BLOCKS[one.type])?.(one) ?? document.createTextNode(one.raw));
  }
  return made;
}

/** A text with its entities as the letters they stand for. */
function plain(text) {
  return text.replace(ENTITY, (one) => entities.parseFromString(one, "text/html").documentElement.textContent);
}
