// Shows what an import would do: the counts, why rows would fail, and some profiles field by field.

import { make, makeSvg } from "./elements.js";
import { numberText } from "./locale.js";

const SAMPLES_SHOWN = 4;

const COUNTS = [
  ["created", (found) => found.CreatedRecords, "Would be created"],
  ["updated", (found) => found.UpdatedRecords - found.UnchangedRecords, "Would be updated"],
  ["unchanged", (found) => found.UnchangedRecords, "Unchanged"],
  ["failed", (found) => found.FailedRecords, "Would fail"],
];

export function previewCounts(preview) {
  const total = COUNTS.reduce((sum, [, countIn]) => sum + countIn(preview), 0);
  if (total === 0) {
    return [];
  }
  const counts = COUNTS.map(([kind, countIn, label]) =>
    make("div", { class: kind }, make("dt", {}, label), make("dd", {}, numberText.format(countIn(preview)))),
  );
  return [bar(preview, total), make("dl", { class: "counts" }, ...counts)];
}

// preview: the answer of GetPreview, and `failures`, that of GetFailureReasons. failedRowsPath, failedRowsName: of the download of the rows that would fail.
export function previewDetails(preview, { profilesPath, showsStored, nameOf, failedRowsPath, failedRowsName }) {
  const parts = [];
  if (preview.RepeatedRecords) {
    const rows = preview.RepeatedRecords === 1 ? "1 row has" : `${numberText.format(preview.RepeatedRecords)} rows have`;
    parts.push(make("p", {}, `${rows} the same unique key as an earlier row; the later row wins.`));
  }
  parts.push(...(preview.Notices ?? []).filter((notice) => !notice.Doubtful).map((notice) => make("p", {}, notice.Message)));
  if (preview.failures.Items.length) {
    parts.push(make("h3", {}, "Why rows would fail"), make("ul", { class: "reasons" }, ...preview.failures.Items.map(reason)));
    if (preview.failures.MoreReasons) {
      parts.push(make("p", {}, `${numberText.format(preview.failures.MoreReasons)} more kinds of error; the download has them all.`));
    }
    parts.push(make("p", {}, make("a", { class: "button", href: failedRowsPath, download: failedRowsName }, preview.FailedRecords === 1 ? "Download this row (CSV)" : `Download these ${numberText.format(preview.FailedRecords)} rows (CSV)`)));
    parts.push(make("p", { class: "hint" }, "Fix the rows in this file and import it, or fix them in your file and check it again. Columns starting with openprofiles_ say what is wrong with each row; they are ignored."));
  }
  parts.push(...samples(preview.Samples, { profilesPath, showsStored, nameOf }));
  return parts;
}

// Returns the counts as one sentence for screen readers.
export function previewSentence(preview) {
  return `${COUNTS.map(([, countIn, label]) => `${numberText.format(countIn(preview))} ${label.toLowerCase()}`).join(", ")}.`;
}

function bar(preview, total) {
  let start = 0;
  const parts = COUNTS.filter(([, countIn]) => countIn(preview)).map(([kind, countIn]) => {
    const width = (countIn(preview) / total) * 1000;
    start += width;
    return makeSvg("rect", { class: kind, x: start - width, width: Math.max(0, width - 2), height: 20 });
  });
  return makeSvg("svg", { class: "bar", viewBox: "0 0 1000 20", preserveAspectRatio: "none", "aria-hidden": "true" }, ...parts);
}

function reason(fault) {
  const count = fault.Count === 1 ? "1 row" : `${numberText.format(fault.Count)} rows`;
  const examples = fault.Examples.map((example) =>
    make("li", {}, `line ${numberText.format(example.Line)}: `, example.Text ? make("code", {}, example.Text) : example.Text === undefined ? "(not kept)" : "(empty)"),
  );
  return make("li", {}, make("p", {}, make("strong", {}, count), `: ${fault.Message}`), examples.length ? make("ul", {}, ...examples) : null);
}

function samples(all, { profilesPath, showsStored, nameOf }) {
  const groups = showsStored
    ? [
        ["Examples of new profiles", all.filter((one) => !one.ProfileId)],
        ["Examples of changed profiles", all.filter((one) => one.ProfileId)],
      ]
    : [["Examples of new and changed profiles", all]];
  return groups
    .filter(([, some]) => some.length)
    .flatMap(([title, some]) => [
      make("h3", {}, title),
      make("div", { class: "samples" }, ...some.slice(0, SAMPLES_SHOWN).map((one) => card(one, { profilesPath, showsStored, nameOf }))),
    ]);
}

function card(sample, { profilesPath, showsStored, nameOf }) {
  const title = make("h4", {}, sample.Line ? `Line ${numberText.format(sample.Line)}` : `Row ${numberText.format(sample.Record)}`);
  if (sample.ProfileId) {
    const link = make("a", { href: `${profilesPath}/${encodeURIComponent(sample.ProfileId)}`, target: "_blank" }, "current profile");
    title.append(", ", link);
  }
  const showsBefore = showsStored && Boolean(sample.ProfileId);
  const rows = sample.Fields.map((field) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, nameOf(field.Field), " ", make("code", { class: "api-name" }, field.Field)),
      showsBefore ? make("td", {}, field.Before === undefined ? "–" : make("del", {}, field.Before)) : null,
      make("td", {}, field.After === undefined ? "(cleared)" : make("ins", {}, field.After)),
    ),
  );
  const names = showsBefore ? ["Field", "Before", "After"] : ["Field", "Value"];
  const head = make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name))));
  return make("div", { class: "card" }, title, make("table", {}, head, make("tbody", {}, ...rows)));
}
