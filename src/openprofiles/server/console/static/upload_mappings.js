// Saved mappings: saving one, offering it, and how the columns of a file differ from it.

import { ask, mark, showMessage } from "./ask.js";
import { find, make } from "./elements.js";

// Saves the mapping of the form under the name in its field.
// file: the one that is shown; how it is read is saved, too.
export async function saveMapping(api, form, file) {
  const field = find("mapping-name");
  const name = field.value.trim();
  const status = find("save-status");
  status.textContent = "";
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    mark(field, "Use 1 to 64 letters, digits, _ and -.");
    field.focus();
    return;
  }
  mark(field, null);
  const wrong = form.findMappingFault();
  if (wrong) {
    wrong.focus();
    return;
  }
  try {
    await ask(`${api}/mappings/${encodeURIComponent(name)}`, { method: "PUT", body: { ...form.describeMapping(), ...form.describeReading(file) } });
    status.textContent = `Saved as ${name}.`;
    offerSaved(name);
  } catch (error) {
    showMessage(find("mapping-name-fault"), error);
  }
}

function offerSaved(name) {
  const select = find("saved");
  const names = [...(select?.options ?? [])].slice(1);
  if (select && !names.some((option) => option.value === name)) {
    const next = names.find((option) => option.value > name) ?? null;
    select.insertBefore(make("option", {}, name), next);
    find("saved-part").hidden = false;
  }
}

// drift: {mapping} or {error}; null shows nothing.
export function showDrift(drift) {
  if (drift?.error) {
    const fault = make("p", { class: "fault" });
    showMessage(fault, drift.error);
    find("drift").replaceChildren(fault);
  } else {
    find("drift").replaceChildren(...(drift === null ? [] : describeDrift(drift.mapping)));
  }
}

function describeDrift(mapping) {
  const sentences = [
    [mapping.MissingMapped, "Columns in the mapping that this file does not have"],
    [mapping.MissingOther, "Other columns in the earlier file"],
    [mapping.New, "New in this file, and skipped"],
    [mapping.Doubled, "Columns that the mapping sends to several fields, but that go to only one here"],
  ].filter(([names]) => names.length);
  if (!sentences.length) {
    return [make("p", { class: "hint" }, "This file has the same columns as the mapping.")];
  }
  return [make("div", { class: "warning" }, ...sentences.map(([names, text]) => make("p", {}, `${text}: ${names.join(", ")}.`)))];
}
