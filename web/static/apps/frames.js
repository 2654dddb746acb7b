// Server-sent events (WHATWG HTML §9.2.6) out of the bytes of a fetch: EventSource can neither POST nor send headers.

export class Frames {
  #decoder = new TextDecoder();
  #rest = "";
  #id = "";
  #data = [];

  /** In: the next bytes, cut anywhere. Out: the frames they complete, as {id, data} or {retry} (milliseconds). */
  push(bytes) {
    // A letter may be cut in two between chunks: the decoder keeps the first half for the next call.
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    // A CR at the end may be the first half of a CRLF.
    const held = text.endsWith("\r") ? 1 : 0;
    const lines = text.slice(0, text.length - held).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + text.slice(text.length - held);
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line) {
    if (line === "") {
      const data = this.#data;
      this.#data = [];
      return data.length ? [{ id: this.#id, data: data.join("\n") }] : [];
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d{1,6}$/.test(value)) return [{ retry: Number(value) }];
    return [];
  }
}

/** The frames of an answer, as they arrive. */
export async function* frames(response) {
  const parser = new Frames();
  const reader = response.body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield* parser.push(part.value);
  } finally {
    reader.cancel().catch(() => {});
  }
}
