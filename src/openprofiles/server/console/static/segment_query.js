// Checks the query of an SQL segment while it is being typed, underlines its fault, and counts its members.

import { ask, showMessage } from "./ask.js";
import { find, make } from "./elements.js";

const POLL_MS = 200;
const TYPING_MS = 500;
const form = find("query-form");
const query = find("query");
const marks = find("query-marks");
let asked = 0;
let timer = null;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Where a word begins and ends, from a line and a column that count from 1; null without a place.
export function placeOf(text, line, column) {
  if (!line) {
    return null;
  }
  const before = text.split("\n").slice(0, line - 1);
  const start = before.reduce((length, one) => length + one.length + 1, 0) + Math.max(0, column - 1);
  const word = /^[\p{L}\p{N}_]+|^./u.exec(text.slice(start));
  return word ? [start, start + word[0].length] : null;
}

function underline(place) {
  const text = query.value;
  marks.replaceChildren(
    ...(place ? [text.slice(0, place[0]), make("mark", {}, text.slice(...place)), text.slice(place[1])] : [text]),
    // The last line of a pre that is empty has no height.
    "\n",
  );
  marks.scrollTop = query.scrollTop;
  marks.scrollLeft = query.scrollLeft;
}

async function check() {
  asked += 1;
  const number = asked;
  find("count-text").textContent = "";
  try {
    const found = await ask(form.dataset.check, { body: { SegmentSqlQuery: query.value } });
    if (number !== asked) {
      return;
    }
    const place = found.IsValid ? null : placeOf(query.value, found.Line, found.Column);
    underline(place);
    const at = place ? ` (line ${found.Line}, column ${found.Column})` : "";
    showMessage(find("query-fault"), found.IsValid ? null : `${found.Message}${at}`);
    query.toggleAttribute("aria-invalid", !found.IsValid);
  } catch (error) {
    if (number === asked) {
      showMessage(find("query-fault"), error);
    }
  }
}

async function count() {
  const number = asked;
  find("count-text").textContent = "Counting …";
  try {
    const started = await ask(form.dataset.count, { body: new Blob([new URLSearchParams({ query: query.value })]) });
    while (number === asked) {
      const found = await ask(form.dataset.estimates + started.EstimateId, { method: "GET" });
      if (found.Status === "FAILED") {
        throw new Error(found.Message);
      }
      if (found.Status === "SUCCEEDED") {
        find("count-text").textContent = `${found.Members.toLocaleString()} of ${found.Profiles.toLocaleString()} customers`;
        return;
      }
      await pause(POLL_MS);
    }
  } catch (error) {
    if (number === asked) {
      find("count-text").textContent = "";
      showMessage(find("query-fault"), error);
    }
  }
}

if (form?.dataset.check) {
  query.addEventListener("input", () => {
    underline(null);
    clearTimeout(timer);
    timer = setTimeout(check, TYPING_MS);
  });
  query.addEventListener("scroll", () => {
    marks.scrollTop = query.scrollTop;
    marks.scrollLeft = query.scrollLeft;
  });
  find("count-button").addEventListener("click", count);
  underline(null);
}
