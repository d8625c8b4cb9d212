// Shows a state of the page that imports a file. Only what differs from the state before is touched, so that nothing is
// announced twice.

import { bytes, duration, percent } from "./amounts.js";
import { mark, showMessage } from "./ask.js";
import { find, make } from "./elements.js";
import { numberText } from "./locale.js";
import { encodingChoices } from "./upload_encodings.js";
import { showDrift } from "./upload_mappings.js";
import { previewCounts, previewDetails, previewSentence } from "./upload_preview.js";
import { doubtsOf } from "./upload_state.js";

const STEPS = ["choose", "columns", "transfer", "preview"];
const MESSAGES = { choose: "choose-fault", notTaken: "not-taken", form: "form-fault", job: "job-fault", transfer: "transfer-fault", preview: "preview-fault" };
// The fields that have a message of their own.
const MARKS = { webhook: "webhook-url", doubts: "doubts-confirmed" };

// What shows each part of the state; before: the state that was shown, or null.
const PARTS = {
  busy: ({ busy }, before, view) => view.disable(busy !== null, before !== null && before.busy !== null),
  step: showStep,
  goal: showStep,
  messages: ({ messages }, before) => showMessages(messages, before?.messages),
  file({ file }) {
    find("keep-file").hidden = file === null;
    find("keep-file").textContent = file === null ? "" : `Continue with ${file.name}`;
  },
  candidate({ candidate }) {
    find("choose-status").textContent = candidate === null ? "" : `Reading ${candidate.file.name}…`;
  },
  refused: ({ refused }, _, view) => showRefused(refused, view.onEncoding),
  drift: ({ drift }) => showDrift(drift),
  transfer: ({ transfer }, before) => showTransfer(transfer, before?.transfer),
  check: (state, before, view) => view.showCheck(state, before?.check),
  isConfirmed({ isConfirmed }) {
    if (find("doubts-confirmed")) {
      find("doubts-confirmed").checked = isConfirmed;
    }
  },
};

export class View {
  // base: the path of the page; previewOptions: as of previewDetails; onEncoding: called with the encoding that the user
  // has chosen for a refused file.
  constructor({ base, previewOptions, onEncoding }) {
    this.base = base;
    this.previewOptions = previewOptions;
    this.onEncoding = onEncoding;
    this.shown = null;
  }

  show(state) {
    const before = this.shown;
    this.shown = state;
    for (const [part, showPart] of Object.entries(PARTS)) {
      if (before === null || before[part] !== state[part]) {
        showPart(state, before, this);
      }
    }
  }

  // Disables all controls during the work. A control that loses the focus by this gets it back.
  disable(isBusy, wasBusy) {
    if (isBusy && !wasBusy) {
      this.focused = document.activeElement;
      this.controls = [...document.querySelectorAll("#columns :is(button, input, select), #transfer button, #preview :is(button, input)")].filter((control) => !control.disabled);
      this.controls.forEach((control) => (control.disabled = true));
    } else if (wasBusy && !isBusy) {
      this.controls.forEach((control) => (control.disabled = false));
      if (document.activeElement === null || document.activeElement === document.body) {
        this.focused?.focus();
      }
    }
  }

  showCheck(state, before) {
    const { check } = state;
    const isRunning = check.status === "running";
    find("preview-title").textContent = check.title;
    find("checking").hidden = !isRunning;
    find("checking-text").textContent = check.rows === null ? check.text : `${check.text}: ${numberText.format(check.rows)} rows`;
    if (before?.number !== check.number) {
      find("checked").removeAttribute("value");
      find("preview-status").textContent = "";
    }
    if (isRunning && check.phase !== null && check.phase !== before?.phase) {
      find("preview-status").textContent = find("checking-text").textContent;
    }
    find("check-again").hidden = check.status !== "lost";
    find("preview-back").hidden = isRunning;
    if (before?.result !== check.result) {
      this.showResult(check.result, doubtsOf(state), state.wanted);
    }
  }

  failedRows(result, wanted) {
    return {
      failedRowsPath: `${this.base}/failed-rows.csv?preview=${result.previewId}`,
      failedRowsName: `${wanted.name.replace(/\.csv$/i, "")}.failed-rows.csv`,
    };
  }

  showResult(result, doubts, wanted) {
    find("preview-counts").replaceChildren(...(result === null ? [] : previewCounts(result.found)));
    find("preview-details").replaceChildren(...(result === null ? [] : previewDetails(result.found, { ...this.previewOptions, ...this.failedRows(result, wanted) })));
    find("doubts").hidden = !doubts.length;
    find("doubts-text").replaceChildren(...doubts.map((notice) => make("p", {}, notice.Message)));
    if (result !== null) {
      find("preview-status").textContent = previewSentence(result.found);
    }
    const load = find("load-checked");
    if (load) {
      const rows = result === null ? 0 : result.found.CreatedRecords + result.found.UpdatedRecords;
      load.hidden = result === null || result.isHopeless;
      load.textContent = rows === 1 ? "Import 1 row" : `Import ${numberText.format(rows)} rows`;
    }
  }
}

// Moves to the top of a step, and its title gets the focus.
export function openStep(step) {
  find(`${step}-title`).focus();
  scrollTo({ top: 0 });
}

function showStep({ step, goal }) {
  for (const id of STEPS) {
    find(id).hidden = id !== step;
  }
  const present = step === "transfer" ? goal : step === "preview" ? "check" : step;
  let isBefore = true;
  for (const item of document.querySelectorAll(".steps li")) {
    const isPresent = item.dataset.step === present;
    isBefore = isBefore && !isPresent;
    // A file that is uploaded in order to be imported is uploaded without a check.
    const isSkipped = isBefore && present === "load" && item.dataset.step === "check";
    item.className = isSkipped ? "skipped" : isBefore ? "done" : "";
    if (isPresent) {
      item.setAttribute("aria-current", "step");
    } else {
      item.removeAttribute("aria-current");
    }
  }
}

function showMessages(messages, before) {
  for (const [place, id] of Object.entries(MESSAGES)) {
    if (find(id) && messages[place] !== before?.[place]) {
      showMessage(find(id), messages[place]);
    }
  }
  for (const [place, id] of Object.entries(MARKS)) {
    if (find(id) && messages[place] !== before?.[place]) {
      mark(find(id), messages[place]);
    }
  }
}

function showRefused(refused, onChoose) {
  if (find("choose-encoding")) {
    find("choose-header-part").hidden = refused?.asks !== "HEADER";
    find("choose-encoding-part").hidden = refused?.asks !== "ENCODING";
    find("refused-name").textContent = refused === null ? "" : refused.file.name;
    find("choose-encoding").value = refused?.form.encoding ?? "";
    const candidates = refused?.candidates ?? [];
    find("candidates-part").hidden = candidates.length === 0;
    find("candidates").replaceChildren(...encodingChoices(candidates, { prefix: "candidate", onChoose }));
  }
}

function showTransfer(transfer, before) {
  find("transfer-title").textContent = transfer.title;
  find("sent-name").textContent = transfer.file?.name ?? "";
  find("sending").hidden = transfer.status !== "running" && transfer.status !== "arrived";
  find("cancel").hidden = transfer.status !== "running";
  find("again").hidden = transfer.status !== "failed";
  find("transfer-back").hidden = transfer.status !== "failed";
  if (before?.status !== transfer.status) {
    find("sent-status").textContent = "";
  }
}

// Returns a function that shows how much of a file has been sent.
export function sendingView(file) {
  const started = performance.now();
  let toldShare = 0;
  let shownAt = 0;
  return (sent) => {
    const now = performance.now();
    const share = file.size ? Math.min(1, sent / file.size) : 1;
    if (now - shownAt < 100 && share < 1 && sent > 0) {
      return;
    }
    shownAt = now;
    find("sent").value = share;
    const seconds = (now - started) / 1000;
    const left = seconds > 2 && share > 0 && share < 1 ? `, about ${duration((seconds / share) * (1 - share))} left` : "";
    find("sent-text").textContent = share < 1 ? `${bytes(Math.min(sent, file.size))} of ${bytes(file.size)} (${percent(share)})${left}` : `All ${bytes(file.size)} uploaded. Waiting for the server.`;
    if (share - toldShare >= 0.25) {
      toldShare = share;
      find("sent-status").textContent = `${percent(share)} uploaded`;
    }
  };
}
