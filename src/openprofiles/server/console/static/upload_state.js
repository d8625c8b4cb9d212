// The states of the page that imports a file, and the transitions between them. There is no document here and no network:
// a transition returns the next state and the effects that the page has to carry out, whose results come back as events.
//
//     choose --file--> columns --begin--> transfer --sent--> preview --begin--> (the page of the import)
//
// What the user has entered stays in the fields of the page. A job is described by them when it is begun, and is created,
// renamed or sent again only as far as that description differs from the latest job.

// The status of an error about a file for which the user has to decide how it is read.
export const NEEDS_CHOICE = "needs choice";
// The member at fault in a job whose webhook the server refuses.
const WEBHOOK_URL = "Webhook.Url";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 1500;
const PAUSE_GROWTH = 1.3;

const NO_MESSAGES = { choose: null, notTaken: null, form: null, job: null, webhook: null, transfer: null, preview: null, doubts: null };
const NO_TRANSFER = { status: null, title: "Uploading the file", file: null };
const NO_CHECK = { number: 0, id: null, status: null, title: "Checking the file", text: "", phase: null, rows: null, pauseMs: FIRST_PAUSE_MS, result: null };

// mayStop: whether the user may discard a job; mayChooseForm: whether they may say how a file is read.
export function initialState({ mayStop, mayChooseForm }) {
  return {
    mayStop,
    mayChooseForm,
    step: "choose",
    // The file that is shown, and how the user has said that it is read.
    file: null,
    // The file that is being read to replace it: {file, form}.
    candidate: null,
    // The file that could not be read without a choice: {file, form, asks, candidates}; asks is "ENCODING",
    // with the likely ones, or "HEADER".
    refused: null,
    // Counts the questions to the server about the file, so that the answer to an earlier one is not mistaken for the latest.
    question: 0,
    // The questions that a job waits for, so that it matches what the page shows.
    open: 0,
    areAnswered: true,
    // The saved mapping that is applied to the columns, or "", and how its columns differ, or the error.
    appliedMapping: "",
    drift: null,
    // Whether the user has confirmed the doubts about this job.
    isConfirmed: false,
    // Whether the user has entered anything that is not imported yet, and would be lost with the page.
    isChanged: false,
    // What the page waits for with all its controls disabled, or null.
    busy: null,
    // What the user wants: "check" or "load".
    goal: null,
    // The job as the page described it when it was begun: {file, name, description}, the latter as JSON.
    wanted: null,
    // The latest job: {id, description, name, sentFile}, and the request that it was, or will be, created with.
    job: null,
    creation: null,
    transfer: NO_TRANSFER,
    check: NO_CHECK,
    messages: NO_MESSAGES,
  };
}

// Whether another file may be chosen now.
export function takesFiles({ busy, step }) {
  return busy === null && (step === "choose" || step === "columns");
}

// The notices of the check that the user has to confirm before the import.
export function doubtsOf({ check }) {
  return check.result?.doubts ?? [];
}

// Returns the state after an event, and the effects to carry out: {type, ...}.
export function next(state, event) {
  const transition = TRANSITIONS[event.type];
  if (!transition) {
    throw new Error(`There is no transition for ${event.type}.`);
  }
  const draft = { ...state };
  const effects = [];
  transition(draft, event, (type, details = {}) => effects.push({ type, ...details }));
  return { state: draft, effects };
}

const TRANSITIONS = {
  // ---- the file

  // files: as dropped or chosen.
  filesGiven(state, { files }, run) {
    if (!files.length) {
      return;
    }
    if (!takesFiles(state)) {
      showNotTaken(state);
    } else if (files.length > 1) {
      showChoice(state);
      say(state, "choose", `You dropped ${files.length} files. Drop one at a time; each file is a separate import.`);
    } else {
      read(state, files[0], {}, run);
    }
  },

  // Files are held above the page. A browser reports no drop where none is allowed.
  filesHover(state) {
    if (!takesFiles(state) && state.messages.notTaken === null) {
      showNotTaken(state);
    }
  },

  otherFileWanted(state, _, run) {
    showChoice(state);
    run("focus", { id: "file" });
  },

  fileKept(state, _, run) {
    show(state, "columns", run);
  },

  // form: what the user has chosen of how the refused file is to be read.
  refusedReadAgain(state, { form }, run) {
    read(state, state.refused.file, { ...state.refused.form, ...form }, run);
  },

  // shown: the file to show and to send: the sheet of a workbook as CSV, or the file itself.
  sampleRead(state, { file, form, shown, sample }, run) {
    if (state.candidate?.file !== file) {
      return;
    }
    const previous = state.file;
    state.candidate = null;
    state.file = shown;
    state.question += 1;
    state.appliedMapping = "";
    state.drift = null;
    say(state, "form", null);
    run("showFile", { file: shown, previous, form, sample });
    show(state, "columns", run);
  },

  sampleFailed(state, { file, form, error }, run) {
    if (state.candidate?.file !== file) {
      return;
    }
    state.candidate = null;
    showChoice(state);
    say(state, "choose", error);
    if (error.status === NEEDS_CHOICE && state.mayChooseForm) {
      const { candidates, asks } = error.answer;
      state.refused = { file, form, asks, candidates };
      run("focus", { id: asks === "HEADER" ? "header-first" : candidates.length ? "candidate-0" : "choose-encoding" });
    } else {
      run("focus", { id: "file" });
    }
  },

  // ---- questions about the file that is shown

  formChosen(state, { form }, run) {
    ask(state);
    say(state, "form", null);
    run("readAgain", { file: state.file, form, number: state.question });
  },

  // form: what it was read by, perhaps by what a saved mapping keeps.
  readAgain(state, { number, form, shown, sample }, run) {
    if (number === state.question) {
      state.file = shown;
      state.appliedMapping = "";
      state.drift = null;
      run("showSample", { file: state.file, form, sample });
      if (form.mapping) {
        // Its columns may be others now.
        run("readMapping", { name: form.mapping, number, isFileRead: true });
        return;
      }
    }
    answer(state, true, run);
  },

  readAgainFailed(state, { number, form, error }, run) {
    if (number === state.question && form.mapping) {
      state.drift = { error };
      run("restoreMapping", { name: state.appliedMapping });
    } else if (number === state.question) {
      say(state, "form", error.answer?.asks === "HEADER" ? `${error.message} Enter 1 as the line of the header if this row is the header, or 0 if the file has no header.` : error);
    }
    answer(state, false, run);
  },

  // name: "" for no saved mapping.
  mappingChosen(state, { name }, run) {
    ask(state);
    state.drift = null;
    if (name) {
      run("readMapping", { name, number: state.question, isFileRead: false });
    } else {
      state.appliedMapping = "";
      run("applyMapping", { name, mapping: null });
      answer(state, true, run);
    }
  },

  // isFileRead: whether the file has been read by what the mapping keeps.
  mappingRead(state, { number, name, mapping, isFileRead }, run) {
    if (number === state.question && mapping.ReadsFile && !isFileRead) {
      run("readAgain", { file: state.file, form: { mapping: name, sheet: mapping.Sheet }, number });
      return;
    }
    if (number === state.question) {
      state.appliedMapping = name;
      state.drift = { mapping };
      run("applyMapping", { name, mapping });
    }
    answer(state, true, run);
  },

  mappingFailed(state, { number, error }, run) {
    if (number === state.question) {
      state.drift = { error };
      run("restoreMapping", { name: state.appliedMapping });
    }
    answer(state, false, run);
  },

  changed(state) {
    state.isChanged = true;
  },

  // ---- the job

  // Uploads the file, unless it has arrived already, then checks or imports it.
  begun(state, { goal }, run) {
    begin(state, goal, run);
  },

  // id: of the first field that cannot be used as it is.
  fieldsWrong(state, { id }, run) {
    state.step = "columns";
    run("focus", { id });
  },

  // token: for a new job; a request that is repeated keeps its own.
  described(state, { wanted, token }, run) {
    state.wanted = wanted;
    const { job } = state;
    if (job?.description !== wanted.description) {
      // If the answer is lost, the same request returns the same job.
      if (state.creation?.description !== wanted.description || state.creation.name !== wanted.name) {
        state.creation = { description: wanted.description, name: wanted.name, token };
      }
      prepare(state, run, "createJob", { ...state.creation, replaces: state.mayStop ? (job?.id ?? null) : null });
    } else if (job.name !== wanted.name) {
      prepare(state, run, "renameJob", { jobId: job.id, name: wanted.name });
    } else {
      send(state, run);
    }
  },

  jobCreated(state, { jobId }, run) {
    const { description, name } = state.creation;
    state.job = { id: jobId, description, name, sentFile: null };
    state.isConfirmed = false;
    send(state, run);
  },

  jobRenamed(state, _, run) {
    state.job = { ...state.job, name: state.wanted.name };
    send(state, run);
  },

  placeFound(state, { place }, run) {
    transfer(state, place, run);
  },

  jobFailed(state, { error }, run) {
    state.busy = null;
    forgetJob(state, error);
    if (error.member === WEBHOOK_URL) {
      state.step = "columns";
      say(state, "webhook", error.message);
      run("focus", { id: "webhook-url" });
    } else {
      say(state, visibleMessage(state), error);
    }
  },

  // ---- uploading

  cancelled(state, _, run) {
    if (state.transfer.status === "running") {
      run("cancelTransfer");
    }
  },

  sent(state, _, run) {
    state.transfer = { ...state.transfer, status: "arrived" };
    state.job = { ...state.job, sentFile: state.wanted.file };
    proceed(state, run);
  },

  // isCancelled: by the user. Whether the server had received the whole file by then is not known here.
  sendFailed(state, { error, isCancelled }, run) {
    state.transfer = { ...state.transfer, status: "stopping", title: "The file was not uploaded" };
    say(state, "transfer", error);
    if (isCancelled && state.mayStop) {
      state.busy = "stopping";
      run("stopJob", { jobId: state.job.id });
      // If the server can't be reached now, the next job replaces it.
      state.job = { ...state.job, description: null };
      state.creation = null;
    } else {
      offerAgain(state, run);
    }
  },

  jobStopped(state, _, run) {
    state.busy = null;
    offerAgain(state, run);
  },

  triedAgain(state, _, run) {
    begin(state, state.goal, run);
  },

  columnsWanted(state, _, run) {
    say(state, "notTaken", null);
    show(state, "columns", run);
  },

  // ---- checking

  checkStarted(state, { previewId }, run) {
    state.busy = null;
    state.check = { ...state.check, id: previewId };
    look(state, run);
  },

  checkNotStarted(state, { error }, run) {
    state.busy = null;
    forgetJob(state, error);
    endCheck(state, "The file was not checked", error, run);
  },

  checkSeen(state, { number, found }, run) {
    if (number !== state.check.number) {
      return;
    }
    if (found.CompletedAt === undefined) {
      const isReading = found.Phase === "stage" && found.Position > 0;
      const { pauseMs } = state.check;
      state.check = { ...state.check, status: "running", phase: found.Phase, text: found.Progress?.Doing ?? "Queued", rows: isReading ? found.Position : null, pauseMs: Math.min(LONGEST_PAUSE_MS, pauseMs * PAUSE_GROWTH) };
      run("waitForCheck", { number, pauseMs });
      return;
    }
    const previewId = state.check.id;
    state.check = { ...state.check, id: null };
    if (found.Status === "STOPPED") {
      endCheck(state, "Check cancelled", null, run);
      return;
    }
    const isHopeless = found.Status === "FAILED";
    const asks = JSON.parse(state.wanted.description).DoubtfulRows === "REFUSE";
    const doubts = asks && !isHopeless ? (found.Notices ?? []).filter((notice) => notice.Doubtful) : [];
    state.check = { ...state.check, status: "checked", title: isHopeless ? "The import would fail" : "What this import would do", result: { found, isHopeless, doubts, previewId } };
    if (isHopeless) {
      say(state, "preview", found.Message ? `Nothing has been imported. The import would fail with: “${found.Message}”` : "No row of this file can be imported.");
    }
    run("focus", { id: "preview-title" });
  },

  checkWaited(state, { number }, run) {
    if (number === state.check.number) {
      look(state, run);
    }
  },

  checkLost(state, { number, error }, run) {
    if (number !== state.check.number) {
      return;
    }
    if (error.status === 404) {
      state.check = { ...state.check, id: null };
    }
    endCheck(state, "Lost track of the check", error, run);
  },

  checkCancelled(state, _, run) {
    if (state.check.id !== null) {
      state.check = { ...state.check, text: "Cancelling", rows: null };
      run("stopCheck", { previewId: state.check.id });
    }
  },

  checkNotCancelled(state, { error }) {
    say(state, "preview", error);
  },

  checkedAgain(state, _, run) {
    const { id } = state.check;
    if (id === null) {
      begin(state, "check", run);
      return;
    }
    // It is still running; only its state did not arrive.
    openCheck(state, "Reconnecting", id);
    run("focus", { id: "preview-title" });
    look(state, run);
  },

  // ---- importing

  confirmed(state, { isConfirmed }) {
    state.isConfirmed = isConfirmed;
    say(state, "doubts", null);
  },

  checkedFileLoaded(state, _, run) {
    if (doubtsOf(state).length && !state.isConfirmed) {
      say(state, "doubts", "Tick this box to import the rows, or go back to the columns and change the mapping.");
      run("focus", { id: "doubts-confirmed" });
    } else {
      begin(state, "load", run);
    }
  },

  started(state, { location }, run) {
    state.busy = null;
    state.isChanged = false;
    run("leave", { location });
  },

  notStarted(state, { error }, run) {
    state.busy = null;
    forgetJob(state, error);
    say(state, visibleMessage(state), error);
    if (state.step === "transfer") {
      // The file has arrived; only the start is requested again.
      state.transfer = { ...state.transfer, title: "The import was not started" };
      offerAgain(state, run);
    }
  },
};

// ---- parts of transitions

function say(state, place, message) {
  state.messages = { ...state.messages, [place]: message };
}

function show(state, step, run) {
  state.step = step;
  run("open", { step });
}

function showChoice(state) {
  state.step = "choose";
  state.refused = null;
  say(state, "choose", null);
}

function showNotTaken(state) {
  const isUnderWay = state.busy !== null || state.transfer.status === "running" || (state.step === "preview" && state.check.status === "running");
  say(state, "notTaken", isUnderWay ? `You can't choose another file while ${state.file.name} is being uploaded or checked.` : "To choose another file, go back to the columns first.");
}

function read(state, file, form, run) {
  state.candidate = { file, form };
  say(state, "choose", null);
  say(state, "notTaken", null);
  run("readSample", { file, form });
}

function ask(state) {
  state.question += 1;
  state.open += 1;
}

// A job that waits for the questions is described once the last one has its answer, and only if all went well.
function answer(state, isGood, run) {
  state.open -= 1;
  state.areAnswered = state.areAnswered && isGood;
  if (state.open > 0) {
    return;
  }
  if (state.busy === "settling") {
    state.busy = null;
    run("describe", { isAnswered: state.areAnswered });
  }
  state.areAnswered = true;
}

function begin(state, goal, run) {
  if (state.busy !== null) {
    return;
  }
  state.goal = goal;
  say(state, visibleMessage(state), null);
  say(state, "webhook", null);
  say(state, "notTaken", null);
  if (state.candidate !== null) {
    // The user has continued with the file that is shown; another one must not replace it.
    say(state, "notTaken", `${state.candidate.file.name} was not used, because you continued with ${state.file.name} before it was read.`);
    state.candidate = null;
  }
  if (state.open > 0) {
    state.busy = "settling";
  } else {
    run("describe", { isAnswered: true });
  }
}

function prepare(state, run, type, details) {
  state.busy = "preparing";
  run(type, details);
}

function send(state, run) {
  if (state.job.sentFile === state.wanted.file) {
    proceed(state, run);
  } else {
    prepare(state, run, "findPlace", { jobId: state.job.id });
  }
}

function transfer(state, place, run) {
  state.busy = null;
  state.transfer = { ...NO_TRANSFER, status: "running", file: state.wanted.file };
  say(state, "transfer", null);
  show(state, "transfer", run);
  run("send", { file: state.wanted.file, place });
}

// The file has arrived.
function proceed(state, run) {
  if (state.goal === "load") {
    state.busy = "starting";
    run("startJob", { jobId: state.job.id, isConfirmed: state.isConfirmed });
    return;
  }
  openCheck(state, "Queued", null);
  state.busy = "starting";
  show(state, "preview", run);
  run("startCheck", { jobId: state.job.id });
}

function offerAgain(state, run) {
  state.transfer = { ...state.transfer, status: "failed" };
  run("focus", { id: "again" });
}

function openCheck(state, text, id) {
  state.check = { ...NO_CHECK, number: state.check.number + 1, id, status: "running", text };
  state.isConfirmed = false;
  say(state, "preview", null);
  say(state, "doubts", null);
}

function look(state, run) {
  run("readCheck", { number: state.check.number, previewId: state.check.id });
}

function endCheck(state, title, error, run) {
  state.check = { ...state.check, status: "lost", title };
  say(state, "preview", error);
  run("focus", { id: "check-again" });
}

// If the job that was wanted is no longer usable, the next attempt creates another one.
function forgetJob(state, error) {
  if (state.job?.description === state.wanted.description && (error.status === 400 || error.status === 404)) {
    state.job = null;
    state.creation = null;
  }
}

function visibleMessage({ step }) {
  return step === "transfer" || step === "preview" ? step : "job";
}
