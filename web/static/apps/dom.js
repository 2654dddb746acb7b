// Making elements. Everything from a run goes in as text: nothing here reads markup.

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

/** A link to a file, or its name where the address is none that a browser should follow. */
export function link(address, name) {
  let url = null;
  try {
    url = new URL(address, location.href);
  } catch {
    // Not an address: the name says enough.
  }
  if (!url || !["http:", "https:"].includes(url.protocol)) return make("span", "", name);
  const made = make("a", "", name || url.href);
  made.href = url.href;
  made.rel = "noopener noreferrer";
  return made;
}
