// The first rows of a file, and how it was read.

import { bytes } from "./amounts.js";
import { find, make } from "./elements.js";
import { numberText } from "./locale.js";
import { encodingChoices } from "./upload_encodings.js";

const DELIMITERS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", "^": "carets", "~": "tildes" };

// onEncoding: called with the encoding that the user has chosen because the detected one is doubtful.
export function showSample(file, sample, { onEncoding }) {
  find("file-name").textContent = file.name;
  find("found").textContent = `${bytes((file.source ?? file).size)}, ${sample.Columns.length} ${sample.Columns.length === 1 ? "column" : "columns"}, ${file.workbook ? `${file.workbook.Kind}, sheet “${file.workbook.Sheet}”` : describeForm(sample.File)}`;
  const head = make("tr", {}, ...sample.Columns.map((column) => make("th", { scope: "col" }, column.Header)));
  const rows = sample.Rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", { title: cell.length > 30 ? cell : null }, cell))));
  find("sample").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  showEdges();
  const above = sample.LinesAbove.map(({ Line: line, Text: text }) => make("p", {}, `Line ${numberText.format(line)}: `, make("code", {}, text)));
  find("lines-above").hidden = above.length === 0;
  find("lines-above").replaceChildren(make("p", {}, "Skipped above the header:"), ...above);
  if (find("doubtful-encoding")) {
    find("doubtful-encoding").hidden = sample.Candidates.length === 0;
    find("doubtful-candidates").replaceChildren(...encodingChoices(sample.Candidates, { prefix: "doubtful", onChoose: onEncoding }));
  }
}

// Shows on which sides of the sample there are more columns.
function showEdges() {
  const { scrollLeft, scrollWidth, clientWidth } = find("sample-scroll");
  find("sample-edges").classList.toggle("more-left", scrollLeft > 1);
  find("sample-edges").classList.toggle("more-right", scrollLeft + clientWidth < scrollWidth - 1);
}

find("sample-scroll").addEventListener("scroll", showEdges, { passive: true });
// Also when the sample is first shown.
new ResizeObserver(showEdges).observe(find("sample-scroll"));

function describeForm(form) {
  const parts = [form.Encoding, `separated by ${DELIMITERS[form.Delimiter]}`];
  if (form.Quote !== '"') {
    parts.push(form.Quote === "none" ? "no quotes" : "single quotes");
  }
  if (form.Compression !== "none") {
    parts.push(`compressed with ${form.Compression}`);
  }
  parts.push(`${form.LineEnds} line endings`);
  return parts.join(", ");
}
