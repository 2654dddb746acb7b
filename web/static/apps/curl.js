// The request that the form would send, as a line for a terminal.

import { copier } from "./dom.js";

/** In: the `details` to show it in, the address of the operation, and what makes the body out of the form. */
export function curl(details, address, body) {
  const line = details.querySelector("pre");
  const draw = async () => {
    if (!details.open) return;
    try {
      const text = JSON.stringify(await body()).replaceAll("'", "'\\''");
      line.textContent = `curl -sN ${address} \\\n  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\\n  -d '${text}'`;
    } catch (error) {
      line.textContent = error.message;
    }
  };
  details.append(copier(() => line.textContent) ?? "");
  details.addEventListener("toggle", draw);
  return draw;
}
