// Excel workbooks: the server turns the chosen sheet into CSV, which is then imported like any other file.

import { askForAnswer } from "./ask.js";
import { find, make } from "./elements.js";

const MAGIC = "504b0304";

// Whether the file begins as a ZIP archive, as a workbook does.
export async function isWorkbook(file) {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return [...head].map((one) => one.toString(16).padStart(2, "0")).join("") === MAGIC;
}

// Returns the sheet as a CSV file with the name of the workbook. Its `workbook` is what the server says about it, and its
// `source` the workbook.
export async function convertWorkbook(base, file, sheet) {
  const query = sheet ? `?${new URLSearchParams({ sheet })}` : "";
  const answer = await askForAnswer(`${base}/workbook${query}`, { body: file });
  const documentBytes = Number(answer.headers.get("X-Document-Bytes"));
  const content = await answer.blob();
  const workbook = JSON.parse(await content.slice(0, documentBytes).text());
  return Object.assign(new File([content.slice(documentBytes)], file.name), { workbook, source: file });
}

// workbook: as of convertWorkbook, or undefined before it is known.
export function hasSheet(workbook, sheet) {
  return workbook !== undefined && [workbook.Sheet, ...workbook.OtherSheets, ...workbook.HiddenSheets].includes(sheet);
}

// workbook: as of convertWorkbook; undefined for other files.
export function showWorkbook(workbook) {
  if (!find("workbook")) {
    return;
  }
  find("workbook").hidden = !workbook;
  find("encoding-part").hidden = Boolean(workbook);
  find("delimiter-part").hidden = Boolean(workbook);
  const { Sheet: present = null, OtherSheets: others = [], HiddenSheets: hidden = [], Notes: notes = [] } = workbook ?? {};
  const options = [present, ...others].map((name) => make("option", { value: name }, name));
  find("sheet").replaceChildren(...(present === null ? [] : options), ...hidden.map((name) => make("option", { value: name }, `${name} (hidden)`)));
  find("sheet").value = present;
  find("sheet-part").hidden = others.length + hidden.length === 0;
  find("workbook-notes").hidden = notes.length === 0;
  find("workbook-notes").replaceChildren(...notes.map((note) => make("p", {}, note)));
}
