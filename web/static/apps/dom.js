// Making elements. Everything from a run goes in as text: nothing here reads markup.

const OURS = /^\/openapi\/v1\/files\/[\w-]+$/;
const MOST = 200000; // characters shown of one value

/** An element with a class and a text. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = cut(text);
  return element;
}

/** A text that a page can hold. */
export function cut(text) {
  return text.length > MOST ? `${text.slice(0, MOST)}… (${text.length - MOST} more characters)` : text;
}

/** A value as text: text as it is, anything else as JSON. */
export function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** Seconds in words. */
export function took(seconds) {
  if (seconds < 0.001) return "< 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Whether an address is a whole one that a browser may follow. */
export function follows(address) {
  return /^(https?:\/\/|mailto:)./i.test(address) && URL.canParse(address);
}

/** A link that opens beside this page, or its name where the address is none to follow. */
export function link(address, name) {
  if (!follows(address)) return make("span", "", name || address);
  const made = make("a", "", name || address);
  made.href = address;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}

/** A picture that is a file of this server, under whatever name of it; a link to any other: the page asks nobody else. */
export function picture(address, name) {
  const made = link(address, name || "picture"), { pathname, search } = made.tagName === "A" ? new URL(address) : {};
  if (!OURS.test(pathname)) return made;
  const image = make("img");
  image.src = pathname + search;
  image.alt = name || "picture";
  // Its link may have expired.
  image.addEventListener("error", () => image.replaceWith(image.alt));
  made.className = "picture";
  made.replaceChildren(image);
  return made;
}

/** A button that copies a text; null where the browser lets no page copy. */
export function copier(text) {
  if (!navigator.clipboard) return null;
  const button = make("button", "copy", "Copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text()).then(() => (button.textContent = "Copied"), () => {});
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}
