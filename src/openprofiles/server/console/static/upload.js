// The page that imports a file, from choosing the file to starting its job. Whatever the user has entered stays in the
// page's fields, so that an error loses nothing.

import { bytes, duration, percent } from "./amounts.js";
import { Refused, ask, showMessage } from "./ask.js";
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
// The status of an answer about a job whose webhook the server refuses.
const WEBHOOK_REFUSED = 422;
// The status of an answer about a file that is not text in the encoding that it was read in.
const NO_TEXT = 422;
const STOP_PATIENCE_MS = 5000;
const POLICIES = { "write-mode": ["WriteMode", "CREATE_AND_UPDATE"], "blank-cells": ["BlankCells", "KEEP"], "hand-set": ["HandSetFields", "KEEP"] };

const columns = new Columns({
  list: find("mapping"),
  targets: [...find("targets").options].map((option) => ({ path: option.label, label: option.value })),
  checked: JSON.parse(root.dataset.checked),
  twins: JSON.parse(root.dataset.twins),
  onChange: offerKeys,
});

let file = null;
// The file that is being read, to replace that one, or null.
let candidate = null;
// Counts the questions to the server about the file, so that the answer to an earlier one is not mistaken for the latest.
let questionNumber = 0;
// A question that a job has to wait for, so that it matches what the page shows: whether it was answered well.
let pending = null;
let isBusy = false;
let suggestedKey = null;
// What the sample says about each column as the unique key, by header.
let keyEvidence = new Map();
// The unique key that the user has chosen for this file, or null.
let chosenKey = null;
// Whether the user has chosen or typed anything that is not imported yet, and would be lost with the page.
let isChanged = false;
// The file that is not text as it was read, or null.
let refused = null;
// The name of the saved mapping that is applied to the columns, or "".
let appliedMapping = "";
// The latest job: {id, description, name, sentFile}, and the token that it was, or will be, created with.
let job = null;
let creation = null;
let wantsCheck = false;
let transfer = null;
// The latest check: {id}.
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
    // A file that is uploaded in order to be imported is uploaded without a check.
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
    showNotTaken();
    field.value = "";
  } else if (chosen) {
    // The same file can be chosen again after it was changed.
    take(chosen).finally(() => (field.value = ""));
  }
}

function showChoice() {
  show("choose", "choose", { focuses: false });
  find("keep-file").hidden = file === null;
  find("keep-file").textContent = file === null ? "" : `Continue with ${file.name}`;
  showMessage(find("choose-fault"), null);
  askForEncoding(null);
}

// chosen: a file that was refused; null: hides the question.
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
      // Otherwise the browser would open the file instead of this page.
      event.preventDefault();
      event.dataTransfer.dropEffect = takesFiles() ? "copy" : "none";
      document.body.classList.toggle("dragging", takesFiles());
      // A browser reports no drop where none is allowed.
      if (!takesFiles() && find("not-taken").hidden) {
        showNotTaken();
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
    showNotTaken();
    return;
  }
  if (dropped.length > 1) {
    showChoice();
    showMessage(find("choose-fault"), `You dropped ${dropped.length} files. Drop one at a time; each file is a separate import.`);
    return;
  }
  take(dropped[0]);
});

function takesFiles() {
  return !isBusy && (!find("choose").hidden || !find("columns").hidden);
}

function showNotTaken() {
  const isUnderWay = isBusy || transfer !== null || (!find("preview").hidden && !find("checking").hidden);
  showMessage(find("not-taken"), isUnderWay ? `You can't choose another file while ${file.name} is being uploaded or checked.` : "To choose another file, go back to the columns first.");
}

// The user has continued with the file that is shown; another one must not replace it.
function dropCandidate() {
  if (candidate !== null) {
    showMessage(find("not-taken"), `${candidate.name} was not used, because you continued with ${file.name} before it was read.`);
    candidate = null;
    find("choose-status").textContent = "";
  }
}

// encoding: as the user has chosen; "": detected automatically.
async function take(chosen, encoding = "") {
  candidate = chosen;
  const status = find("choose-status");
  showMessage(find("choose-fault"), null);
  showMessage(find("not-taken"), null);
  try {
    if (chosen.size > maxSizeBytes) {
      throw new Refused(`The file is too large: ${bytes(chosen.size)}. This server accepts files of up to ${bytes(maxSizeBytes)}.`, 400);
    }
    status.textContent = `Reading ${chosen.name}…`;
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
      showMessage(find("form-fault"), null);
    }
    showSample(sample, { isSameFile: false });
    show("columns", "columns");
  } catch (error) {
    if (candidate === chosen) {
      showChoice();
      showMessage(find("choose-fault"), error);
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

// form: encoding and delimiter, unless they are detected automatically.
async function askForSample(chosen, form) {
  const beginning = chosen.slice(0, Number(root.dataset.sampleBytes));
  let content;
  try {
    content = await beginning.arrayBuffer();
  } catch {
    throw new Refused(`${chosen.name} can't be read. If it is a folder, choose a file in it; if the file has changed, choose it again.`, 0);
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
  keyEvidence = new Map(Object.entries(sample.Keys));
  columns.show(sample.Columns, { keeps: isSameFile });
  chosenKey = isSameFile ? chosenKey : null;
  offerKeys(columns.loaded.some(({ header }) => header === chosenKey) ? chosenKey : suggestedKey);
  showEdges();
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

for (const id of ["encoding", "delimiter"]) {
  find(id)?.addEventListener("change", () => waitFor(readAgain()));
}

async function readAgain() {
  const number = ++questionNumber;
  showMessage(find("form-fault"), null);
  try {
    const sample = await askForSample(file, { encoding: find("encoding").value, delimiter: find("delimiter").value });
    if (number === questionNumber) {
      showSample(sample, { isSameFile: true });
    }
    return true;
  } catch (error) {
    if (number === questionNumber) {
      showMessage(find("form-fault"), error);
    }
    return false;
  }
}

// A job is not started before this has ended, and only if it went well.
async function waitFor(answer) {
  const all = Promise.all([pending ?? true, answer]).then((each) => each.every(Boolean));
  pending = all;
  await all;
  if (pending === all) {
    pending = null;
  }
}

// ---- the mapping

// Offers the columns that are not skipped as unique keys. wanted: the header of the one to choose.
function offerKeys(wanted = find("unique-key").value) {
  const select = find("unique-key");
  const loaded = columns.loaded;
  const options = loaded.map(({ header, path }) => make("option", { value: header }, path === null || columns.nameOf(path) === header ? header : `${header} (${columns.nameOf(path)})`));
  const isThere = loaded.some(({ header }) => header === wanted);
  if (!isThere) {
    options.unshift(make("option", { value: "" }, "Choose a column"));
  }
  select.replaceChildren(...options);
  select.value = isThere ? wanted : "";
  showKeyEvidence();
}

// Shows how well the chosen unique key identifies the customers of the sample.
function showKeyEvidence() {
  const evidence = keyEvidence.get(find("unique-key").value);
  const parts = evidence ? [make("p", { class: "hint" }, `${evidence.Evidence} ${evidence.Consequence}`), ...evidence.Doubts.map((doubt) => make("p", { class: "warning" }, `Doubtful: ${doubt}.`))] : [];
  find("unique-key-evidence").replaceChildren(...parts);
}

find("unique-key").addEventListener("change", () => {
  chosenKey = find("unique-key").value;
  showKeyEvidence();
});
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
      showMessage(fault, error);
      drift.replaceChildren(fault);
      find("saved").value = appliedMapping;
    }
    return false;
  }
}

function describeDrift(saved) {
  const sentences = [
    [saved.MissingMapped, "Columns in the mapping that this file does not have"],
    [saved.MissingOther, "Other columns of the earlier file"],
    [saved.New, "New in this file, and skipped"],
    [saved.Doubled, "Columns that the mapping sends to several fields, but that go to only one here"],
  ].filter(([names]) => names.length);
  if (!sentences.length) {
    return [make("p", { class: "hint" }, "This file has the same columns as the mapping.")];
  }
  return [make("div", { class: "warning" }, ...sentences.map(([names, text]) => make("p", {}, `${text}: ${names.join(", ")}.`)))];
}

find("save")?.addEventListener("click", async () => {
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
    showMessage(find("mapping-name-fault"), error);
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
  mark(key, key.value ? null : "Choose the column used to recognise customers.");
  return wrong ?? (key.value ? null : key);
}

// ---- the job

find("limit")?.addEventListener("change", (event) => {
  find("limit-number-part").hidden = !["records", "percent"].includes(event.target.value);
});

for (const kind of ["input", "change", "click"]) {
  find("columns").addEventListener(kind, (event) => {
    // Only the buttons of the columns change anything. The name of a mapping is kept by saving it.
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
  // Enter in a field chooses from its list; it must not submit the form.
  if (event.key === "Enter" && event.target.matches("input:not([type=checkbox])")) {
    event.preventDefault();
    if (event.target.id === "mapping-name") {
      find("save").click();
    }
  }
});

function mark(field, fault) {
  const element = find(`${field.id}-fault`);
  showMessage(element, fault);
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
    ["name", (text) => (text ? null : "Enter a name for this import.")],
    ["days", (text) => (/^[0-9]{1,4}$/.test(text) && text >= 1 && text <= maxDays ? null : `Enter a whole number from 1 to ${maxDays}.`)],
    ["limit-number", faultOfLimit],
    // Only the server can check it; the error is cleared until the server is asked again.
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
    return /^[0-9]{1,12}$/.test(text) ? null : "Enter a whole number of rows.";
  }
  if (kind === "percent") {
    const value = Number(text.replace(",", "."));
    return text && value >= 0 && value <= 100 ? null : "Enter a number from 0 to 100.";
  }
  return null;
}

// Describes the job as the page shows it now, even if the page changes later. The name can be changed later.
function describeJob() {
  const description = { ...describeMapping(), DataExpiry: Number(find("days").value) };
  if (find("shared-keys")) {
    description.SharedKeyRows = find("shared-keys").value;
  }
  const options = describeOptions();
  return {
    file,
    name: find("name").value.trim(),
    description: JSON.stringify(options === null ? description : { ...description, Options: options }),
  };
}

function describeOptions() {
  if (!find("write-mode")) {
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

// crypto.randomUUID is not available without HTTPS.
function newToken() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

// Uploads the file, unless it has arrived already, then checks or imports it.
async function begin(isCheck) {
  if (isBusy) {
    return;
  }
  wantsCheck = isCheck;
  showMessage(find("job-fault"), null);
  showMessage(find("not-taken"), null);
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
      showMessage(visibleFault(), error);
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

// Makes sure that the job is as described. Returns where to upload its file, or null if the file has arrived.
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

// Asks for something of the job. If the job is no longer usable, the next attempt creates another one.
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
  // If the answer is lost, the same request returns the same job.
  if (creation?.description !== description || creation.name !== name) {
    creation = { description, name, token: newToken() };
  }
  const made = await ask(`${base}/jobs`, {
    body: { ...JSON.parse(description), DisplayName: name, IdempotencyToken: creation.token, Replaces: job?.id ?? null },
  });
  job = { id: made.JobId, description, name, sentFile: null };
  return made;
}

// Stops a job whose upload was cancelled. If the server can't be reached now, the next job replaces it.
async function stopJob() {
  if (!("mayStop" in root.dataset)) {
    return;
  }
  job.description = null;
  creation = null;
  try {
    await ask(`${base}/jobs/${job.id}/stop`, { patienceMs: STOP_PATIENCE_MS });
  } catch {
    // The user asked only to cancel the upload, and that is done.
  }
}

// Disables all controls during the work. A control that loses the focus by this gets it back.
async function whileBusy(work) {
  const controls = document.querySelectorAll("#columns :is(button, input, select), #transfer button, #preview :is(button, input)");
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

// ---- uploading

// Returns whether the file has arrived.
async function send(place, sentFile) {
  const progress = find("sent");
  const started = performance.now();
  let toldShare = 0;
  let shownAt = 0;
  showMessage(find("transfer-fault"), null);
  find("again").hidden = true;
  find("transfer-back").hidden = true;
  find("cancel").hidden = false;
  find("sending").hidden = false;
  find("transfer-title").textContent = "Uploading the file";
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
    find("sent-text").textContent = share < 1 ? `${bytes(Math.min(sent, sentFile.size))} of ${bytes(sentFile.size)} (${percent(share)})${left}` : `All ${bytes(sentFile.size)} uploaded. Waiting for the server.`;
    if (share - toldShare >= 0.25) {
      toldShare = share;
      find("sent-status").textContent = `${percent(share)} uploaded`;
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
    find("transfer-title").textContent = "The file was not uploaded";
    if (error.isStopped) {
      await whileBusy(stopJob);
      // Whether the server had received the whole file by then is not known here.
      showMessage(find("transfer-fault"), "Upload cancelled. Nothing was imported. Your settings are kept; “Try again” uploads the file from the start.");
    } else if (error.status === 0) {
      showMessage(
        find("transfer-fault"),
        `The connection was lost ${error.sent ? `after ${bytes(error.sent)}` : "before anything was uploaded"}, or the file was changed or moved. Nothing was imported. Your settings are kept; “Try again” uploads the file from the start.`,
      );
    } else {
      showMessage(find("transfer-fault"), error);
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
    showMessage(find("not-taken"), null);
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
  showChecking("Queued");
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
  showMessage(find("preview-fault"), null);
  showDoubts([]);
  for (const id of ["load-checked", "check-again", "preview-back"]) {
    if (find(id)) {
      find(id).hidden = true;
    }
  }
}

// Shows what has to be confirmed before the file is imported.
function showDoubts(notices) {
  find("doubts").hidden = !notices.length;
  find("doubts-text").replaceChildren(...notices.map((notice) => make("p", {}, notice.Text)));
  if (find("doubts-confirmed")) {
    find("doubts-confirmed").checked = false;
    mark(find("doubts-confirmed"), null);
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
        endCheck("Lost track of the check", error);
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
    find("checking-text").textContent = found.Phase === "stage" && found.Position ? `${found.Doing}: ${numberText.format(found.Position)} rows` : found.Doing;
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
  showMessage(find("preview-fault"), error);
  find("check-again").hidden = false;
  find("preview-back").hidden = false;
  find("check-again").focus();
}

function showPreview(found) {
  preview = null;
  if (found.Status === "STOPPED") {
    endCheck("Check cancelled", null);
    return;
  }
  const isHopeless = found.Status === "FAILED";
  find("checking").hidden = true;
  find("preview-title").textContent = isHopeless ? "The import would fail" : "What this import would do";
  if (isHopeless) {
    showMessage(find("preview-fault"), found.Message ? `Nothing has been imported. The import would fail with: “${found.Message}”` : "No row of this file can be imported.");
  }
  find("preview-counts").replaceChildren(...previewCounts(found));
  find("preview-details").replaceChildren(
    ...previewDetails(found, { profilesPath: `${domainPath}/profiles`, showsStored: "showsStored" in root.dataset, nameOf: (path) => columns.nameOf(path) }),
  );
  if (find("shared-keys")?.value !== "LOAD") {
    showDoubts(found.Notices.filter((notice) => notice.IsDoubtful));
  }
  find("preview-status").textContent = previewSentence(found);
  if (find("load-checked")) {
    const rows = found.Created + found.Updated + found.Unchanged;
    find("load-checked").hidden = isHopeless;
    find("load-checked").textContent = rows === 1 ? "Import 1 row" : `Import ${numberText.format(rows)} rows`;
  }
  find("preview-back").hidden = false;
  find("preview-title").focus();
}

find("stop-check").addEventListener("click", async () => {
  if (preview) {
    find("checking-text").textContent = "Cancelling";
    try {
      await ask(`${base}/previews/${preview.id}/stop`);
    } catch (error) {
      showMessage(find("preview-fault"), error);
    }
  }
});
find("check-again").addEventListener("click", () => {
  if (preview) {
    // It is still running; only its state did not arrive.
    showChecking("Reconnecting");
    find("preview-title").focus();
    follow(++previewNumber);
  } else {
    begin(true);
  }
});
find("doubts-confirmed")?.addEventListener("change", () => mark(find("doubts-confirmed"), null));
find("load-checked")?.addEventListener("click", () => {
  const confirmation = find("doubts-confirmed");
  if (!find("doubts").hidden && !confirmation.checked) {
    mark(confirmation, "Tick this box to import the rows, or go back to the columns and change the mapping.");
    confirmation.focus();
    return;
  }
  begin(false);
});

// ---- importing

async function start() {
  try {
    const isConfirmed = !find("preview").hidden && find("doubts-confirmed").checked;
    const started = await whileBusy(() => askForJob("start", isConfirmed ? { SharedKeyRows: "LOAD" } : null));
    isChanged = false;
    location.assign(started.Location);
  } catch (error) {
    if (!find("transfer").hidden) {
      // The file has arrived; only the start is requested again.
      find("transfer-title").textContent = "The import was not started";
      showMessage(find("transfer-fault"), error);
      offerAgain();
      return;
    }
    showMessage(visibleFault(), error);
  }
}

// A file may have been chosen before this script was loaded.
takeChosen();
