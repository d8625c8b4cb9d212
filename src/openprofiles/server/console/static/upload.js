// The page that loads a file, from choosing it to starting its job. What the page knows stands in its fields, so that an
// error loses nothing.

import { bytes, duration, percent } from "./amounts.js";
import { Refused, ask, tell } from "./ask.js";
import { make } from "./elements.js";
import { numberText } from "./locale.js";
import { startTransfer } from "./transfer.js";
import { Columns } from "./upload_columns.js";
import { previewCounts, previewDetails, previewSentence } from "./upload_preview.js";

const find = (id) => document.getElementById(id);
const root = find("upload");
const base = location.pathname;
const domainPath = base.slice(0, base.lastIndexOf("/"));
const maxSizeBytes = Number(root.dataset.maxSizeBytes);
const maxDays = Number(root.dataset.maxDays);

const DELIMITERS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars" };
const PHASES = {
  stage: (preview) => (preview.Position ? `Reading: ${numberText.format(preview.Position)} rows` : "Reading the file"),
  report: () => "Collecting the rows that would fail",
  preview: () => "Comparing with what is stored",
};
// The status of an answer about a job whose webhook the server does not take.
const WEBHOOK_REFUSED = 422;
// The status of an answer about a file that is no text in the encoding that it was read in.
const NO_TEXT = 422;
const STOP_PATIENCE_MS = 5000;
const POLICIES = { "write-mode": ["WriteMode", "CREATE_AND_UPDATE"], "blank-cells": ["BlankCells", "KEEP"], "hand-set": ["HandSetFields", "KEEP"] };

const columns = new Columns({
  list: find("mapping"),
  targets: [...find("targets").options].map((option) => ({ path: option.value, label: option.label })),
  checked: JSON.parse(root.dataset.checked),
  twins: JSON.parse(root.dataset.twins),
  onChange: offerKeys,
});

let file = null;
// The file that is being read, to take the place of that one, or null.
let candidate = null;
// Counts what the server is asked about the file, so that an answer to an earlier question is not taken for the last one.
let questionNumber = 0;
// What a control has asked and a job waits for, so that it holds what the page shows: whether all went well.
let pending = null;
let isBusy = false;
let suggestedKey = null;
// The unique key that the reader has chosen of this file, or null.
let chosenKey = null;
// Whether the reader has chosen or typed anything that is not loaded yet, and would be lost with the page.
let isChanged = false;
// The file that is no text as it was read, or null.
let refused = null;
// The name of the saved mapping that the columns have, or "".
let appliedMapping = "";
// The job that was made last: {id, description, name, sentFile}, and the token that it was, or is to be, made with.
let job = null;
let creation = null;
let wantsCheck = false;
let transfer = null;
// The check that was asked for last: {id, number}.
let preview = null;
let previewNumber = 0;

// ---- steps

const SECTIONS = ["choose", "columns", "transfer", "preview"];

function show(section, step, { focuses = true } = {}) {
  for (const id of SECTIONS) {
    find(id).hidden = id !== section;
  }
  let isBefore = true;
  for (const item of document.querySelectorAll(".steps li")) {
    const isPresent = item.dataset.step === step;
    isBefore = isBefore && !isPresent;
    // A file that is sent to be loaded is sent without a check.
    const isSkipped = isBefore && step === "load" && item.dataset.step === "check";
    item.className = isSkipped ? "skipped" : isBefore ? "done" : "";
    if (isPresent) {
      item.setAttribute("aria-current", "step");
    } else {
      item.removeAttribute("aria-current");
    }
  }
  if (focuses) {
    find(`${section}-title`).focus();
    scrollTo({ top: 0 });
  }
}

// ---- the file

find("file").addEventListener("change", takeChosen);
find("other-file").addEventListener("click", () => {
  showChoice();
  find("file").focus();
});
find("keep-file").addEventListener("click", () => show("columns", "columns"));

function takeChosen() {
  const field = find("file");
  const [chosen] = field.files;
  if (chosen && !takesFiles()) {
    tellNotTaken();
    field.value = "";
  } else if (chosen) {
    // The same file can be chosen again, once it was changed.
    take(chosen).finally(() => (field.value = ""));
  }
}

function showChoice() {
  show("choose", "choose", { focuses: false });
  find("keep-file").hidden = file === null;
  find("keep-file").textContent = file === null ? "" : `Go on with ${file.name}`;
  tell(find("choose-fault"), null);
  askForEncoding(null);
}

// Of a file that was refused; null: of none.
function askForEncoding(chosen) {
  refused = chosen;
  if (find("choose-encoding")) {
    find("choose-encoding-part").hidden = chosen === null;
    find("refused-name").textContent = chosen === null ? "" : chosen.name;
  }
}

find("read-refused")?.addEventListener("click", () => take(refused, find("choose-encoding").value));

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    if (hasFiles(event)) {
      // Otherwise the browser would open the file in place of this page.
      event.preventDefault();
      event.dataTransfer.dropEffect = takesFiles() ? "copy" : "none";
      document.body.classList.toggle("dragging", takesFiles());
      // A browser tells of no drop where none may be.
      if (!takesFiles() && find("not-taken").hidden) {
        tellNotTaken();
      }
    }
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) {
    document.body.classList.remove("dragging");
  }
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dragging");
  if (!hasFiles(event)) {
    return;
  }
  event.preventDefault();
  const dropped = [...event.dataTransfer.files];
  if (!dropped.length) {
    return;
  }
  if (!takesFiles()) {
    tellNotTaken();
    return;
  }
  if (dropped.length > 1) {
    showChoice();
    tell(find("choose-fault"), `These are ${dropped.length} files. Drop one; each file is a job of its own.`);
    return;
  }
  take(dropped[0]);
});

function takesFiles() {
  return !isBusy && (!find("choose").hidden || !find("columns").hidden);
}

function tellNotTaken() {
  const isUnderWay = isBusy || transfer !== null || (!find("preview").hidden && !find("checking").hidden);
  tell(find("not-taken"), isUnderWay ? `No other file is taken as long as ${file.name} is being sent or checked.` : "No other file is taken here. Go back to the columns first.");
}

// Whoever goes on with the file that is shown does not want another one to come up meanwhile.
function dropCandidate() {
  if (candidate !== null) {
    tell(find("not-taken"), `${candidate.name} was not taken, since you went on with ${file.name} before it was read.`);
    candidate = null;
    find("choose-status").textContent = "";
  }
}

// encoding: as the reader says; "": it is to be found out.
async function take(chosen, encoding = "") {
  candidate = chosen;
  const status = find("choose-status");
  tell(find("choose-fault"), null);
  tell(find("not-taken"), null);
  try {
    if (chosen.size > maxSizeBytes) {
      throw new Refused(`The file has ${bytes(chosen.size)}. This server takes files of up to ${bytes(maxSizeBytes)}.`, 400);
    }
    status.textContent = `Reading ${chosen.name} …`;
    const sample = await askForSample(chosen, encoding ? { encoding } : {});
    if (candidate !== chosen) {
      return;
    }
    const name = find("name");
    if (file === null || name.value === file.name.slice(0, 255)) {
      name.value = chosen.name.slice(0, 255);
    }
    file = chosen;
    questionNumber++;
    if (find("form-details")) {
      find("form-details").open = encoding !== "";
      find("encoding").value = encoding;
      find("delimiter").value = "";
      tell(find("form-fault"), null);
    }
    showSample(sample, { isSameFile: false });
    show("columns", "columns");
  } catch (error) {
    if (candidate === chosen) {
      showChoice();
      tell(find("choose-fault"), error);
      if (error.status === NO_TEXT && find("choose-encoding")) {
        askForEncoding(chosen);
        find("choose-encoding").value = encoding;
        find("choose-encoding").focus();
      } else {
        find("file").focus();
      }
    }
  } finally {
    if (candidate === chosen) {
      candidate = null;
      status.textContent = "";
    }
  }
}

// form: encoding and delimiter, as far as they are not to be found out.
async function askForSample(chosen, form) {
  const beginning = chosen.slice(0, Number(root.dataset.sampleBytes));
  let content;
  try {
    content = await beginning.arrayBuffer();
  } catch {
    throw new Refused(`${chosen.name} cannot be read. If it is a folder, choose a file in it; if it was changed meanwhile, choose it again.`, 0);
  }
  const query = new URLSearchParams({ ...form, whole: beginning.size === chosen.size ? "1" : "0" });
  return ask(`${base}/sample?${query}`, { body: content });
}

function showSample(sample, { isSameFile }) {
  find("file-name").textContent = file.name;
  find("found").textContent = `${bytes(file.size)}, ${sample.Columns.length} ${sample.Columns.length === 1 ? "column" : "columns"}, ${describeForm(sample.File)}`;
  const head = make("tr", {}, ...sample.Columns.map((column) => make("th", { scope: "col" }, column.Header)));
  const rows = sample.Rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", { title: cell.length > 30 ? cell : null }, cell))));
  find("sample").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  if (find("saved")) {
    find("saved").value = "";
  }
  appliedMapping = "";
  find("drift").replaceChildren();
  suggestedKey = sample.UniqueKey;
  columns.show(sample.Columns, { keeps: isSameFile });
  chosenKey = isSameFile ? chosenKey : null;
  offerKeys(columns.loaded.some(({ header }) => header === chosenKey) ? chosenKey : suggestedKey);
  showEdges();
}

// Shows on which sides of the rows there is more than one sees.
function showEdges() {
  const { scrollLeft, scrollWidth, clientWidth } = find("sample-scroll");
  find("sample-edges").classList.toggle("more-left", scrollLeft > 1);
  find("sample-edges").classList.toggle("more-right", scrollLeft + clientWidth < scrollWidth - 1);
}

find("sample-scroll").addEventListener("scroll", showEdges, { passive: true });
// Also once they are shown at all.
new ResizeObserver(showEdges).observe(find("sample-scroll"));

function describeForm(form) {
  const parts = [form.Encoding, `${DELIMITERS[form.Delimiter]} between columns`];
  if (form.Quote !== '"') {
    parts.push(form.Quote === "none" ? "no quotes" : "single quotes");
  }
  if (form.Compression !== "none") {
    parts.push(`packed with ${form.Compression}`);
  }
  parts.push(`line ends ${form.LineEnds}`);
  return parts.join(", ");
}

for (const id of ["encoding", "delimiter"]) {
  find(id)?.addEventListener("change", () => waitFor(readAgain()));
}

async function readAgain() {
  const number = ++questionNumber;
  tell(find("form-fault"), null);
  try {
    const sample = await askForSample(file, { encoding: find("encoding").value, delimiter: find("delimiter").value });
    if (number === questionNumber) {
      showSample(sample, { isSameFile: true });
    }
    return true;
  } catch (error) {
    if (number === questionNumber) {
      tell(find("form-fault"), error);
    }
    return false;
  }
}

// A job is not begun before this has ended, and only if it went well.
async function waitFor(answer) {
  const all = Promise.all([pending ?? true, answer]).then((each) => each.every(Boolean));
  pending = all;
  await all;
  if (pending === all) {
    pending = null;
  }
}

// ---- the mapping

// Offers the columns that are loaded as unique keys. wanted: the header of the one to be chosen.
function offerKeys(wanted = find("unique-key").value) {
  const select = find("unique-key");
  const loaded = columns.loaded;
  const options = loaded.map(({ header, path }) => make("option", { value: header }, path === null || path === header ? header : `${header} (${path})`));
  const isThere = loaded.some(({ header }) => header === wanted);
  if (!isThere) {
    options.unshift(make("option", { value: "" }, "Choose a column"));
  }
  select.replaceChildren(...options);
  select.value = isThere ? wanted : "";
}

find("unique-key").addEventListener("change", () => (chosenKey = find("unique-key").value));
find("saved")?.addEventListener("change", () => waitFor(applySaved()));

async function applySaved() {
  const name = find("saved").value;
  const drift = find("drift");
  const number = ++questionNumber;
  drift.replaceChildren();
  if (!name) {
    appliedMapping = "";
    chosenKey = null;
    columns.choose(null, null);
    offerKeys(suggestedKey);
    return true;
  }
  try {
    const saved = await ask(`${base}/mappings/${encodeURIComponent(name)}`, { body: { Columns: columns.headers } });
    if (number === questionNumber) {
      appliedMapping = name;
      chosenKey = null;
      columns.choose(new Map(Object.entries(saved.Targets)), name);
      offerKeys(saved.UniqueKey);
      drift.replaceChildren(...describeDrift(saved));
    }
    return true;
  } catch (error) {
    if (number === questionNumber) {
      const fault = make("p", { class: "fault" });
      tell(fault, error);
      drift.replaceChildren(fault);
      find("saved").value = appliedMapping;
    }
    return false;
  }
}

function describeDrift(saved) {
  const sentences = [
    [saved.MissingMapped, "The mapping loads columns that this file does not have"],
    [saved.MissingOther, "The earlier file also had"],
    [saved.New, "New in this file, and left out"],
    [saved.Doubled, "The mapping sends a column to several fields; here it goes to one"],
  ].filter(([names]) => names.length);
  if (!sentences.length) {
    return [make("p", { class: "hint" }, "The file has the columns that the mapping was made for.")];
  }
  return [make("div", { class: "warning" }, ...sentences.map(([names, text]) => make("p", {}, `${text}: ${names.join(", ")}.`)))];
}

find("save")?.addEventListener("click", async () => {
  const field = find("mapping-name");
  const name = field.value.trim();
  const status = find("save-status");
  status.textContent = "";
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    mark(field, "The name has 1 to 64 letters, digits, _ and -.");
    field.focus();
    return;
  }
  mark(field, null);
  const wrong = findMappingFault();
  if (wrong) {
    wrong.focus();
    return;
  }
  try {
    await ask(`${base}/mappings/${encodeURIComponent(name)}/save`, { body: describeMapping() });
    status.textContent = `Saved as ${name}.`;
    offerSaved(name);
  } catch (error) {
    tell(find("mapping-name-fault"), error);
  }
});

function offerSaved(name) {
  const select = find("saved");
  const names = [...(select?.options ?? [])].slice(1);
  if (select && !names.some((option) => option.value === name)) {
    const next = names.find((option) => option.value > name) ?? null;
    select.insertBefore(make("option", {}, name), next);
    find("saved-part").hidden = false;
  }
}

function describeMapping() {
  return { Columns: columns.headers, Targets: columns.targets(), UniqueKey: find("unique-key").value };
}

function findMappingFault() {
  const wrong = columns.findFault();
  const key = find("unique-key");
  mark(key, key.value ? null : "Choose the column that tells customers apart.");
  return wrong ?? (key.value ? null : key);
}

// ---- the job

find("limit")?.addEventListener("change", (event) => {
  find("limit-number-part").hidden = !["records", "percent"].includes(event.target.value);
});

for (const kind of ["input", "change", "click"]) {
  find("columns").addEventListener(kind, (event) => {
    // Of the buttons, those of the columns alone change anything. The name of a mapping is kept by saving it.
    const isChange = kind === "click" ? event.target.closest("#mapping button") !== null : event.target.id !== "mapping-name";
    isChanged = isChanged || isChange;
  });
}
find("job").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(find("check") !== null);
});
if (find("check")) {
  find("load")?.addEventListener("click", () => begin(false));
}
find("job").addEventListener("keydown", (event) => {
  // Enter in a field is for its list, and shall send nothing.
  if (event.key === "Enter" && event.target.matches("input:not([type=checkbox])")) {
    event.preventDefault();
    if (event.target.id === "mapping-name") {
      find("save").click();
    }
  }
});

function mark(field, fault) {
  const element = find(`${field.id}-fault`);
  tell(element, fault);
  if (fault === null) {
    field.removeAttribute("aria-invalid");
  } else {
    field.setAttribute("aria-invalid", "true");
    field.closest("details")?.setAttribute("open", "");
  }
}

function findFault() {
  if (find("form-fault") && !find("form-fault").hidden) {
    find("form-details").open = true;
    return find("encoding");
  }
  let first = findMappingFault();
  const faults = [
    ["name", (text) => (text ? null : "Give the job a name.")],
    ["days", (text) => (/^[0-9]{1,4}$/.test(text) && text >= 1 && text <= maxDays ? null : `Write a whole number from 1 to ${maxDays}.`)],
    ["limit-number", faultOfLimit],
    // The server alone knows what is wrong with it; until it is asked again, nothing is.
    ["webhook-url", () => null],
  ];
  for (const [id, faultOf] of faults) {
    const field = find(id);
    if (field) {
      const fault = faultOf(field.value.trim());
      mark(field, fault);
      first ??= fault === null ? null : field;
    }
  }
  return first;
}

function faultOfLimit(text) {
  const kind = find("limit").value;
  if (kind === "records") {
    return /^[0-9]{1,12}$/.test(text) ? null : "Write a whole number of rows.";
  }
  if (kind === "percent") {
    const value = Number(text.replace(",", "."));
    return text && value >= 0 && value <= 100 ? null : "Write a number from 0 to 100.";
  }
  return null;
}

// What is wanted now, of this file, whatever becomes of the page meanwhile. The name can be changed later.
function describeJob() {
  const description = { ...describeMapping(), DataExpiry: Number(find("days").value) };
  const options = describeOptions();
  return {
    file,
    name: find("name").value.trim(),
    description: JSON.stringify(options === null ? description : { ...description, Options: options }),
  };
}

function describeOptions() {
  if (!find("policies")) {
    return null;
  }
  const options = {};
  const form = {};
  for (const [id, name] of [["encoding", "Encoding"], ["delimiter", "Delimiter"]]) {
    if (find(id).value) {
      form[name] = find(id).value;
    }
  }
  if (Object.keys(form).length) {
    options.File = form;
  }
  for (const [id, [name, usual]] of Object.entries(POLICIES)) {
    if (find(id).value !== usual) {
      options[name] = find(id).value;
    }
  }
  const number = Number(find("limit-number").value.trim().replace(",", "."));
  const limits = { none: { Records: 0 }, records: { Records: number }, percent: { Percent: number } };
  if (find("limit").value) {
    options.FailureLimit = limits[find("limit").value];
  }
  const kinds = new Set();
  if (find("check-email").checked) {
    kinds.add("EMAIL_ADDRESS");
  }
  if (find("check-phone").checked) {
    kinds.add("PHONE_NUMBER");
  }
  if (find("webhook-url").value.trim()) {
    options.Webhook = { Url: find("webhook-url").value.trim() };
  }
  const checks = columns.checks(kinds);
  if (Object.keys(checks).length) {
    options.Checks = checks;
  }
  return Object.keys(options).length ? options : null;
}

// crypto.randomUUID is not there without HTTPS.
function newToken() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

// Sends the file, if it is not there yet, then checks or loads it.
async function begin(isCheck) {
  if (isBusy) {
    return;
  }
  wantsCheck = isCheck;
  tell(find("job-fault"), null);
  tell(find("not-taken"), null);
  dropCandidate();
  const isSettled = pending === null || (await whileBusy(() => pending));
  const wrong = findFault() ?? (isSettled ? null : find("saved"));
  if (wrong) {
    show("columns", "columns", { focuses: false });
    wrong.focus();
    return;
  }
  const wanted = describeJob();
  let place;
  try {
    place = await whileBusy(() => prepare(wanted));
  } catch (error) {
    if (error.status === WEBHOOK_REFUSED) {
      show("columns", "columns", { focuses: false });
      mark(find("webhook-url"), error.message);
      find("webhook-url").focus();
    } else {
      tell(visibleFault(), error);
    }
    return;
  }
  if (place !== null) {
    show("transfer", wantsCheck ? "check" : "load");
    if (!(await send(place, wanted.file))) {
      return;
    }
    job.sentFile = wanted.file;
  }
  await (wantsCheck ? check() : start());
}

function visibleFault() {
  return find(!find("transfer").hidden ? "transfer-fault" : !find("preview").hidden ? "preview-fault" : "job-fault");
}

// Sees that the job is as wanted. Where its file is to go, or null if it is there.
async function prepare(wanted) {
  if (job?.description !== wanted.description) {
    return createJob(wanted);
  }
  if (job.name !== wanted.name) {
    await askForJob("name", { DisplayName: wanted.name });
    job.name = wanted.name;
  }
  return job.sentFile === wanted.file ? null : askForJob("path");
}

// Asks for something of the job. If it is no more what it was, the next attempt makes another one.
async function askForJob(what, body = null) {
  try {
    return await ask(`${base}/jobs/${job.id}/${what}`, { body });
  } catch (error) {
    if (error.status === 400 || error.status === 404) {
      job = null;
      creation = null;
    }
    throw error;
  }
}

async function createJob({ name, description }) {
  // Should the answer be lost, the same request gives the same job.
  if (creation?.description !== description || creation.name !== name) {
    creation = { description, name, token: newToken() };
  }
  const made = await ask(`${base}/jobs`, {
    body: { ...JSON.parse(description), DisplayName: name, IdempotencyToken: creation.token, Replaces: job?.id ?? null },
  });
  job = { id: made.JobId, description, name, sentFile: null };
  return made;
}

// Nobody wants its file sent after all. If that cannot be told to the server now, the next job takes its place.
async function stopJob() {
  if (!("mayStop" in root.dataset)) {
    return;
  }
  job.description = null;
  creation = null;
  try {
    await ask(`${base}/jobs/${job.id}/stop`, { patienceMs: STOP_PATIENCE_MS });
  } catch {
    // Nothing was asked for but to stop sending, and that is done.
  }
}

// Nothing can be changed or pressed meanwhile. A control that is disabled loses the focus, and gets it back.
async function whileBusy(work) {
  const controls = document.querySelectorAll("#columns :is(button, input, select), #transfer button, #preview button");
  const were = [...controls].map((control) => control.disabled);
  const focused = document.activeElement;
  isBusy = true;
  controls.forEach((control) => (control.disabled = true));
  try {
    return await work();
  } finally {
    controls.forEach((control, index) => (control.disabled = were[index]));
    isBusy = false;
    if (document.activeElement === null || document.activeElement === document.body) {
      focused?.focus();
    }
  }
}

// ---- sending

// Whether it has arrived.
async function send(place, sentFile) {
  const progress = find("sent");
  const started = performance.now();
  let toldShare = 0;
  let shownAt = 0;
  tell(find("transfer-fault"), null);
  find("again").hidden = true;
  find("transfer-back").hidden = true;
  find("cancel").hidden = false;
  find("sending").hidden = false;
  find("transfer-title").textContent = "Sending the file";
  find("sent-name").textContent = sentFile.name;
  find("sent-status").textContent = "";
  progress.value = 0;

  function onProgress(sent) {
    const now = performance.now();
    const share = sentFile.size ? Math.min(1, sent / sentFile.size) : 1;
    if (now - shownAt < 100 && share < 1) {
      return;
    }
    shownAt = now;
    progress.value = share;
    const seconds = (now - started) / 1000;
    const left = seconds > 2 && share > 0 && share < 1 ? `, about ${duration((seconds / share) * (1 - share))} left` : "";
    find("sent-text").textContent = share < 1 ? `${bytes(Math.min(sent, sentFile.size))} of ${bytes(sentFile.size)} (${percent(share)})${left}` : `All ${bytes(sentFile.size)} sent. The server puts them in place.`;
    if (share - toldShare >= 0.25) {
      toldShare = share;
      find("sent-status").textContent = `${percent(share)} sent`;
    }
  }

  onProgress(0);
  transfer = startTransfer(sentFile, place.Url, place.Headers, onProgress);
  try {
    await transfer.done;
    transfer = null;
    return true;
  } catch (error) {
    transfer = null;
    find("transfer-title").textContent = "The file was not sent";
    if (error.isStopped) {
      await whileBusy(stopJob);
      // Whether the server had the whole file by then is not known here.
      tell(find("transfer-fault"), "You stopped it. Nothing is loaded. Try again sends the file from its beginning; what you chose is kept.");
    } else if (error.status === 0) {
      tell(
        find("transfer-fault"),
        `The connection was lost ${error.sent ? `after ${bytes(error.sent)}` : "before anything was sent"}, or the file was changed or moved meanwhile. Nothing is loaded. Try again sends the file from its beginning; what you chose is kept.`,
      );
    } else {
      tell(find("transfer-fault"), error);
    }
    offerAgain();
    return false;
  }
}

function offerAgain() {
  find("sending").hidden = true;
  find("sent-status").textContent = "";
  find("cancel").hidden = true;
  find("again").hidden = false;
  find("transfer-back").hidden = false;
  find("again").focus();
}

find("cancel").addEventListener("click", () => transfer?.stop());
find("again").addEventListener("click", () => begin(wantsCheck));
for (const id of ["transfer-back", "preview-back"]) {
  find(id).addEventListener("click", () => {
    tell(find("not-taken"), null);
    show("columns", "columns");
  });
}
addEventListener("beforeunload", (event) => {
  if (transfer || isChanged) {
    event.preventDefault();
  }
});

// ---- checking

async function check() {
  const number = ++previewNumber;
  preview = null;
  showChecking("Waiting for its turn");
  show("preview", "check");
  try {
    const started = await whileBusy(() => askForJob("preview"));
    preview = { id: started.PreviewId };
  } catch (error) {
    endCheck("The file was not checked", error);
    return;
  }
  await follow(number);
}

function showChecking(text) {
  find("preview-title").textContent = "Checking the file";
  find("checking").hidden = false;
  find("checking-text").textContent = text;
  find("checked").removeAttribute("value");
  find("preview-counts").replaceChildren();
  find("preview-details").replaceChildren();
  find("preview-status").textContent = "";
  tell(find("preview-fault"), null);
  for (const id of ["load-checked", "check-again", "preview-back"]) {
    if (find(id)) {
      find(id).hidden = true;
    }
  }
}

async function follow(number) {
  let pause = 250;
  let phase = null;
  while (number === previewNumber) {
    let found;
    try {
      found = await ask(`${base}/previews/${preview.id}`, { method: "GET" });
    } catch (error) {
      if (error.status === 404) {
        preview = null;
      }
      if (number === previewNumber) {
        endCheck("The check cannot be followed", error);
      }
      return;
    }
    if (number !== previewNumber) {
      return;
    }
    if (found.HasEnded) {
      showPreview(found);
      return;
    }
    find("checking-text").textContent = (PHASES[found.Phase] ?? (() => "Waiting for its turn"))(found);
    if (found.Phase !== phase) {
      phase = found.Phase;
      find("preview-status").textContent = find("checking-text").textContent;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(1500, pause * 1.3);
  }
}

function endCheck(title, error) {
  find("checking").hidden = true;
  find("preview-title").textContent = title;
  tell(find("preview-fault"), error);
  find("check-again").hidden = false;
  find("preview-back").hidden = false;
  find("check-again").focus();
}

function showPreview(found) {
  preview = null;
  if (found.Status === "STOPPED") {
    endCheck("The check was stopped", null);
    return;
  }
  const isHopeless = found.Status === "FAILED";
  find("checking").hidden = true;
  find("preview-title").textContent = isHopeless ? "A load would fail" : "This is what a load would do";
  if (isHopeless) {
    tell(find("preview-fault"), found.Message ? `Nothing is loaded yet. A load would end with: “${found.Message}”` : "No row of the file can be loaded.");
  }
  find("preview-counts").replaceChildren(...previewCounts(found));
  find("preview-details").replaceChildren(
    ...previewDetails(found, { profilesPath: `${domainPath}/profiles`, showsStored: "showsStored" in root.dataset }),
  );
  find("preview-status").textContent = previewSentence(found);
  if (find("load-checked")) {
    const rows = found.Created + found.Updated + found.Unchanged;
    find("load-checked").hidden = isHopeless;
    find("load-checked").textContent = rows === 1 ? "Load 1 row" : `Load ${numberText.format(rows)} rows`;
  }
  find("preview-back").hidden = false;
  find("preview-title").focus();
}

find("stop-check").addEventListener("click", async () => {
  if (preview) {
    find("checking-text").textContent = "Stopping";
    try {
      await ask(`${base}/previews/${preview.id}/stop`);
    } catch (error) {
      tell(find("preview-fault"), error);
    }
  }
});
find("check-again").addEventListener("click", () => {
  if (preview) {
    // It runs on; only its news did not arrive.
    showChecking("Asking the server");
    find("preview-title").focus();
    follow(++previewNumber);
  } else {
    begin(true);
  }
});
find("load-checked")?.addEventListener("click", () => begin(false));

// ---- loading

async function start() {
  try {
    const started = await whileBusy(() => askForJob("start"));
    isChanged = false;
    location.assign(started.Location);
  } catch (error) {
    if (!find("transfer").hidden) {
      // The file is there; only the start is asked for again.
      find("transfer-title").textContent = "The load was not started";
      tell(find("transfer-fault"), error);
      offerAgain();
      return;
    }
    tell(visibleFault(), error);
  }
}

// A file may have been chosen before this script was there.
takeChosen();
