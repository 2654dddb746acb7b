// The form: what is in it as the body of a run, and problems beside the fields they belong to.

/** A field's text is not what it should be; `field` is its element. */
export class Unfit extends Error {
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

const READ = {
  text: (field) => field.value,
  box: (field) => field.value,
  choice: (field) => field.value || null,
  number: (field) => (field.value.trim() === "" ? null : Number(field.value)),
  switch: (field) => field.checked,
  json: (field) => object(field),
  file: async (field, upload) => (await files(field, upload))[0] ?? null,
  files: (field, upload) => files(field, upload),
};

/** The `inputs` of a run. In: `upload(file)`, which answers the record of an uploaded file. Throws Unfit, Refused. */
export async function inputs(form, upload) {
  const found = {};
  for (const field of form.querySelectorAll("[data-input]")) {
    const value = await READ[field.dataset.kind](field, upload);
    // null is "not given": the app's own default counts then.
    if (value !== null) found[field.dataset.input] = value;
  }
  return found;
}

/** The `files` of a run that belong to no input. */
export async function attached(form, upload) {
  const field = form.querySelector("[data-attached]");
  return field ? files(field, upload) : [];
}

/** What was chosen for them, by name. */
export function chosen(form) {
  const field = form.querySelector("[data-attached]");
  const picked = [...(field?.querySelector("[type=file]")?.files ?? [])].map((file) => file.name);
  return [...picked, ...(field?.querySelector("textarea")?.value.split(/\s+/).filter(Boolean) ?? [])];
}

/** Choose nothing again. */
export function unchosen(form) {
  for (const field of form.querySelectorAll("[data-attached] :is(input, textarea)")) field.value = "";
}

function object(field) {
  if (field.value.trim() === "") return null;
  try {
    return JSON.parse(field.value);
  } catch (error) {
    throw new Unfit(field, `This is not JSON: ${error.message}`);
  }
}

async function files(field, upload) {
  const types = field.dataset.types.split(" ");
  const type = types.length === 1 ? { type: types[0] } : {};
  const [picker, addresses] = [field.querySelector("[type=file]"), field.querySelector("[type=url], textarea")];
  const found = [];
  for (const file of picker?.files ?? []) {
    try {
      found.push({ ...type, transfer_method: "local_file", upload_file_id: (await upload(file)).id });
    } catch (error) {
      throw error.status === 401 ? error : new Unfit(picker, `${file.name}: ${error.message}`);
    }
  }
  for (const url of addresses?.value.split(/\s+/).filter(Boolean) ?? []) found.push({ ...type, transfer_method: "remote_url", url });
  if (!found.length && field.dataset.required === "true") throw new Unfit(picker ?? addresses, "A file is needed.");
  return found;
}

/** Take all problems away. */
export function clear(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const told of form.querySelectorAll(".wrong")) told.textContent = "";
}

/** Tell a problem at its field and go there. */
export function tell(field, message) {
  const told = document.getElementById(`${field.id.replace(/-url$/, "")}-wrong`);
  if (told) told.textContent = message;
  field.setAttribute("aria-invalid", "true");
  field.closest("details")?.setAttribute("open", "");
  field.focus();
}

/** The field that a refusal's detail speaks of, by its `loc`; null when none does. */
export function named(form, details) {
  for (const { loc = [] } of details) {
    if (loc[0] === "body" && loc[1] === "query") return form.elements.namedItem("query");
    if (loc[0] === "body" && loc[1] === "files") return form.querySelector("[data-attached] :is(input, textarea)");
    if (loc[0] === "body" && loc[1] === "inputs" && loc.length > 2) {
      const field = form.querySelector(`[data-input="${CSS.escape(loc[2])}"]`);
      return field?.matches(".files") ? field.querySelector("input, textarea") : field;
    }
  }
  return null;
}
