// The page that imports a file, from choosing the file to starting its job: hands what the user does to the states of the
// page (upload_state.js), shows them (upload_view.js), and carries out their effects.

import { bytes } from "./amounts.js";
import { Refused, ask, askForAnswer } from "./ask.js";
import { find } from "./elements.js";
import { startTransfer } from "./transfer.js";
import { JobForm, readForm } from "./upload_form.js";
import { saveMapping } from "./upload_mappings.js";
import { showSample } from "./upload_sample.js";
import { NEEDS_CHOICE, initialState, next, takesFiles } from "./upload_state.js";
import { View, openStep, sendingView } from "./upload_view.js";
import { convertWorkbook, hasSheet, isWorkbook, showWorkbook } from "./upload_workbook.js";

const STOP_PATIENCE_MS = 5000;

const { dataset } = find("upload");
const base = location.pathname;
const api = `/openprofiles/v1/domains/${encodeURIComponent(dataset.domain)}`;
const jobPath = (jobId) => `${api}/upload-jobs/${jobId}`;
const form = new JobForm({ checked: JSON.parse(dataset.checked), twins: JSON.parse(dataset.twins), maxDays: Number(dataset.maxDays), workbookForm: JSON.parse(dataset.workbookForm) });
const view = new View({
  base,
  previewOptions: {
    profilesPath: `${base.slice(0, base.lastIndexOf("/"))}/profiles`,
    showsStored: "showsStored" in dataset,
    nameOf: (path) => form.columns.nameOf(path),
  },
  onEncoding: (encoding) => dispatch("refusedReadAgain", { form: { encoding } }),
});
let state = initialState({ mayStop: "mayStop" in dataset, mayChooseForm: find("choose-encoding") !== null });
let transfer = null;

function dispatch(type, details = {}) {
  const { state: changed, effects } = next(state, { type, ...details });
  state = changed;
  view.show(state);
  for (const { type: effect, ...given } of effects) {
    EFFECTS[effect](given);
  }
}

// ---- effects

const EFFECTS = {
  focus: ({ id }) => find(id).focus(),
  open: ({ step }) => openStep(step),
  leave: ({ location: place }) => location.assign(place),

  readSample: ({ file, form: chosen }) => report(askForSample(file, chosen), ({ shown, sample }) => ["sampleRead", { file, form: chosen, shown, sample }], (error) => ["sampleFailed", { file, form: chosen, error }]),
  readAgain: ({ file, form: chosen, number }) => report(askForSample(file, chosen), ({ shown, sample }) => ["readAgain", { number, form: chosen, shown, sample }], (error) => ["readAgainFailed", { number, form: chosen, error }]),
  showFile({ file, previous, form: chosen, sample }) {
    form.nameAfter(file, previous);
    form.showForm(chosen);
    displaySample(file, sample, false);
  },
  showSample({ file, form: chosen, sample }) {
    if (chosen.mapping) {
      form.showKept(sample.File);
    } else {
      // It was read only by what the fields say.
      form.keptForm = {};
    }
    displaySample(file, sample, true);
  },

  readMapping: ({ name, number, isFileRead }) =>
    report(ask(`${api}/mappings/${encodeURIComponent(name)}/comparison`, { body: { Columns: form.columns.headers } }), (mapping) => ["mappingRead", { number, name, mapping, isFileRead }], (error) => ["mappingFailed", { number, error }]),
  applyMapping({ name, mapping }) {
    find("saved").value = name;
    form.apply(name, mapping);
  },
  restoreMapping: ({ name }) => (find("saved").value = name),

  describe: ({ isAnswered }) => describe(isAnswered),
  createJob: ({ description, name, token, replaces }) =>
    report(ask(`${api}/upload-jobs`, { body: { ...JSON.parse(description), DisplayName: name, IdempotencyToken: token, Replaces: replaces } }), (made) => ["jobCreated", { jobId: made.JobId }], (error) => ["jobFailed", { error }]),
  renameJob: ({ jobId, name }) => report(ask(`${jobPath(jobId)}/name`, { method: "PUT", body: { DisplayName: name } }), () => ["jobRenamed"], (error) => ["jobFailed", { error }]),
  findPlace: ({ jobId }) => report(ask(`${jobPath(jobId)}/target`, { method: "GET" }), (place) => ["placeFound", { place }], (error) => ["jobFailed", { error }]),

  send: ({ file, place }) => send(file, place),
  cancelTransfer: () => transfer.stop(),
  // The user asked only to cancel the upload, and that is done.
  stopJob: ({ jobId }) => report(askForAnswer(jobPath(jobId), { method: "DELETE", patienceMs: STOP_PATIENCE_MS }), () => ["jobStopped"], () => ["jobStopped"]),

  startCheck: ({ jobId }) => report(ask(`${jobPath(jobId)}/preview`), (started) => ["checkStarted", { previewId: started.PreviewId }], (error) => ["checkNotStarted", { error }]),
  readCheck: ({ number, previewId }) => report(askForCheck(previewId), (found) => ["checkSeen", { number, found }], (error) => ["checkLost", { number, error }]),
  waitForCheck: ({ number, pauseMs }) => setTimeout(() => dispatch("checkWaited", { number }), pauseMs),
  stopCheck: ({ previewId }) => report(ask(`${jobPath(previewId)}/preview`, { method: "DELETE" }), () => null, (error) => ["checkNotCancelled", { error }]),

  // The token makes sure that a request that is repeated, because its answer was lost, does not fail.
  startJob: ({ jobId, isConfirmed }) =>
    report(ask(`${jobPath(jobId)}/start`, { body: { IdempotencyToken: `console-${jobId}`, ...(isConfirmed ? { DoubtfulRows: "LOAD" } : {}) } }), () => ["started", { location: dataset.jobPage.replace("JOB_ID", jobId) }], (error) => ["notStarted", { error }]),
};

// Reports the result of a request as an event: [type, details], or null for no event.
async function report(request, onResult, onError) {
  let event;
  try {
    event = onResult(await request);
  } catch (error) {
    event = onError(error);
  }
  if (event !== null) {
    dispatch(...event);
  }
}

// Returns the progress of a check or, once it has ended, its results with the reasons for which rows would fail.
async function askForCheck(previewId) {
  const found = await ask(`${jobPath(previewId)}/preview?words=CONSOLE`, { method: "GET" });
  const failures = found.Faults ? await ask(`${jobPath(previewId)}/failure-reasons`, { method: "GET" }) : { Items: [], MoreReasons: 0 };
  return { ...found, failures };
}

// Returns the sample of a file, and the file that is shown and sent: a workbook is turned into CSV first.
// chosen: how the file is read, as far as that is not detected.
async function askForSample(file, { sheet, ...chosen }) {
  requireSize(file, Number(dataset.maxSizeBytes), "files");
  const source = file.source ?? file;
  let shown = source;
  let content;
  try {
    if (find("workbook") && (await isWorkbook(source))) {
      requireSize(source, Number(dataset.maxWorkbookBytes), "workbooks");
      shown = await convertWorkbook(base, source, hasSheet(file.workbook, sheet) ? sheet : file.workbook?.Sheet);
    }
    content = await shown.slice(0, Number(dataset.sampleBytes)).arrayBuffer();
  } catch (error) {
    if (error instanceof Refused) {
      throw error;
    }
    throw new Refused(`${file.name} can't be read. If it is a folder, choose a file in it; if the file has changed, choose it again.`, 0);
  }
  const { header_line: headerLine, ...rest } = chosen;
  const query = new URLSearchParams({ ...rest, ...(headerLine ? { "header-line": headerLine } : {}), table: shown !== source, whole: content.byteLength === shown.size });
  const sample = await ask(`${api}/file-samples?${query}`, { body: content });
  if (sample.Question) {
    throw new Refused(sample.Question.Message, NEEDS_CHOICE, { asks: sample.Question.Asks, candidates: sample.Candidates ?? [] });
  }
  return { shown, sample };
}

function requireSize(file, maxBytes, what) {
  if (file.size > maxBytes) {
    throw new Refused(`The file is too large: ${bytes(file.size)}. This server accepts ${what} of up to ${bytes(maxBytes)}.`, 400);
  }
}

function displaySample(file, sample, isSameFile) {
  showWorkbook(file.workbook);
  showSample(file, sample, { onEncoding: readAs });
  form.show(sample, { isSameFile });
  if (find("saved")) {
    find("saved").value = "";
  }
}

// Reads the file that is shown in the encoding that the user has chosen for it.
function readAs(encoding) {
  find("encoding").value = encoding;
  find("form-details").open = true;
  find("encoding").focus();
  dispatch("formChosen", { form: readForm() });
}

// isAnswered: whether all questions that the job waited for were answered.
function describe(isAnswered) {
  if (state.messages.form !== null) {
    find("form-details").open = true;
    dispatch("fieldsWrong", { id: state.file.workbook ? "header-line" : "encoding" });
    return;
  }
  const wrong = form.findFault(state.file) ?? (isAnswered ? null : find("saved"));
  if (wrong) {
    dispatch("fieldsWrong", { id: wrong.id });
  } else {
    dispatch("described", { wanted: form.describe(state.file), token: newToken() });
  }
}

// crypto.randomUUID is not available without HTTPS.
function newToken() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}

async function send(file, place) {
  const showSent = sendingView(file);
  showSent(0);
  transfer = startTransfer(file, place.Path, place.Headers, showSent);
  try {
    await transfer.done;
  } catch (error) {
    dispatch("sendFailed", { isCancelled: Boolean(error.isStopped), error: messageOf(error) });
    return;
  }
  dispatch("sent");
}

function messageOf(error) {
  const again = "Nothing was imported. Your settings are kept; “Try again” uploads the file from the start.";
  if (error.isStopped) {
    return `Upload cancelled. ${again}`;
  }
  if (error.status === 0) {
    return `The connection was lost ${error.sent ? `after ${bytes(error.sent)}` : "before anything was uploaded"}, or the file was changed or moved. ${again}`;
  }
  return error;
}

// ---- what the user does

const ON_CLICK = {
  "other-file": () => dispatch("otherFileWanted"),
  "keep-file": () => dispatch("fileKept"),
  "read-refused": () => dispatch("refusedReadAgain", { form: { encoding: find("choose-encoding").value } }),
  "header-first": () => dispatch("refusedReadAgain", { form: { header_line: "1" } }),
  "header-none": () => dispatch("refusedReadAgain", { form: { header_line: "0" } }),
  save: () => saveMapping(api, form, state.file),
  cancel: () => dispatch("cancelled"),
  again: () => dispatch("triedAgain"),
  "transfer-back": () => dispatch("columnsWanted"),
  "preview-back": () => dispatch("columnsWanted"),
  "stop-check": () => dispatch("checkCancelled"),
  "check-again": () => dispatch("checkedAgain"),
  "load-checked": () => dispatch("checkedFileLoaded"),
};
for (const [id, listener] of Object.entries(ON_CLICK)) {
  find(id)?.addEventListener("click", listener);
}

function takeChosen() {
  const files = [...find("file").files];
  // The same file can be chosen again after it was changed.
  find("file").value = "";
  dispatch("filesGiven", { files });
}

find("file").addEventListener("change", takeChosen);

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    if (hasFiles(event)) {
      // Otherwise the browser would open the file instead of this page.
      event.preventDefault();
      event.dataTransfer.dropEffect = takesFiles(state) ? "copy" : "none";
      document.body.classList.toggle("dragging", takesFiles(state));
      dispatch("filesHover");
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
  if (hasFiles(event)) {
    event.preventDefault();
    dispatch("filesGiven", { files: [...event.dataTransfer.files] });
  }
});

for (const id of ["encoding", "delimiter", "header-line", "sheet"]) {
  find(id)?.addEventListener("change", () => dispatch("formChosen", { form: readForm() }));
}
find("saved")?.addEventListener("change", (event) => dispatch("mappingChosen", { name: event.target.value }));

for (const kind of ["input", "change", "click"]) {
  find("columns").addEventListener(kind, (event) => {
    // Only the buttons of the columns change anything. The name of a mapping is kept by saving it.
    if (kind === "click" ? event.target.closest("#mapping button") !== null : event.target.id !== "mapping-name") {
      dispatch("changed");
    }
  });
}
find("job").addEventListener("submit", (event) => {
  event.preventDefault();
  dispatch("begun", { goal: find("check") ? "check" : "load" });
});
if (find("check")) {
  find("load")?.addEventListener("click", () => dispatch("begun", { goal: "load" }));
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
find("doubts-confirmed")?.addEventListener("change", (event) => dispatch("confirmed", { isConfirmed: event.target.checked }));
addEventListener("beforeunload", (event) => {
  if (state.transfer.status === "running" || state.isChanged) {
    event.preventDefault();
  }
});

view.show(state);
// A file may have been chosen before this script was loaded.
takeChosen();
