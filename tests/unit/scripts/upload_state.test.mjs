// The states of the page that imports a file, without a page: events in, states and effects out.

import assert from "node:assert/strict";
import { test } from "node:test";

import { NEEDS_CHOICE, initialState, next, takesFiles } from "../../../src/openprofiles/server/console/static/upload_state.js";

const FIRST = { name: "first.csv", size: 10 };
const SECOND = { name: "second.csv", size: 20 };
const SAMPLE = { Columns: [] };
const PLACE = { Url: "/put", Headers: {} };
const LOST = { message: "Can't reach the server.", status: 0 };

// A page as it goes from event to event. `does` is the last event's effects, by their types.
class Play {
  constructor(settings = {}) {
    this.state = initialState({ mayStop: true, mayChooseForm: true, ...settings });
  }

  on(type, details = {}) {
    const before = structuredClone(this.state);
    const old = this.state;
    const { state, effects } = next(this.state, { type, ...details });
    assert.deepEqual(old, before, "a transition leaves the earlier state as it was");
    this.state = state;
    this.effects = effects;
    return this;
  }

  get does() {
    return this.effects.map(({ type }) => type);
  }

  effect(type) {
    return this.effects.find((one) => one.type === type);
  }

  reads(file) {
    this.on("filesGiven", { files: [file] });
    return this.on("sampleRead", { file: this.state.candidate.file, form: {}, shown: file, sample: SAMPLE });
  }

  wants(goal, { name = "first.csv", description = "{}", file = this.state.file, token = "t1" } = {}) {
    this.on("begun", { goal });
    return this.on("described", { wanted: { file, name, description }, token });
  }

  sends(goal, wanted) {
    this.wants(goal, wanted);
    this.on("jobCreated", { jobId: "j1" }).on("placeFound", { place: PLACE });
    return this.on("sent");
  }

  checks(found = {}, wanted = {}) {
    this.sends("check", wanted);
    this.on("checkStarted", { previewId: "p1" });
    return this.on("checkSeen", { number: this.state.check.number, found: { CompletedAt: 1, Status: "SUCCEEDED", CreatedRecords: 1, ...found } });
  }
}

function reading(file = FIRST, settings = {}) {
  return new Play(settings).reads(file);
}

test("a file that is chosen is read, and shown with its columns", () => {
  const page = new Play().on("filesGiven", { files: [FIRST] });
  assert.deepEqual(page.effects, [{ type: "readSample", file: FIRST, form: {} }]);

  page.on("sampleRead", { file: FIRST, form: {}, shown: FIRST, sample: SAMPLE });

  assert.deepEqual(page.does, ["showFile", "open"]);
  assert.equal(page.state.step, "columns");
  assert.equal(page.state.candidate, null);
});

test("two files that are dropped are one too many", () => {
  const page = new Play().on("filesGiven", { files: [FIRST, SECOND] });

  assert.match(page.state.messages.choose, /^You dropped 2 files/);
  assert.deepEqual(page.effects, []);
});

test("no file changes nothing", () => {
  const page = reading();
  const before = page.state;

  assert.deepEqual(page.on("filesGiven", { files: [] }).state, before);
});

test("another file takes the place of the first", () => {
  const page = reading().reads(SECOND);

  assert.equal(page.state.file.name, "second.csv");
  assert.equal(page.effect("showFile").previous.name, "first.csv");
});

test("the sample of an earlier choice is not shown", () => {
  const page = new Play().on("filesGiven", { files: [FIRST] }).on("filesGiven", { files: [SECOND] });

  page.on("sampleRead", { file: FIRST, form: {}, shown: FIRST, sample: SAMPLE });
  assert.equal(page.state.file, null);
  page.on("sampleFailed", { file: FIRST, form: {}, error: LOST });
  assert.equal(page.state.messages.choose, null);
});

test("a second file that is refused takes nothing from the first", () => {
  const page = reading().on("filesGiven", { files: [SECOND] });

  page.on("sampleFailed", { file: SECOND, form: {}, error: { message: "A ZIP archive.", status: 400 } });

  assert.deepEqual([page.state.step, page.state.file.name], ["choose", "first.csv"]);
  assert.equal(page.state.messages.choose.message, "A ZIP archive.");
  assert.deepEqual(page.effects, [{ type: "focus", id: "file" }]);
  page.on("fileKept");
  assert.deepEqual(page.state.step, "columns");
});

test("a file that needs a choice is read again as chosen, by users who may choose", () => {
  const unclear = { message: "The encoding is unclear.", status: NEEDS_CHOICE, answer: { asks: "ENCODING", candidates: [] } };
  const page = new Play().on("filesGiven", { files: [FIRST] }).on("sampleFailed", { file: FIRST, form: {}, error: unclear });
  assert.deepEqual(page.state.refused, { file: FIRST, form: {}, asks: "ENCODING", candidates: [] });
  assert.deepEqual(page.effects, [{ type: "focus", id: "choose-encoding" }]);

  page.on("refusedReadAgain", { form: { encoding: "cp932" } });

  assert.deepEqual(page.effects, [{ type: "readSample", file: FIRST, form: { encoding: "cp932" } }]);
  const candidates = [{ Encoding: "cp932", Words: ["番"] }];
  page.on("sampleFailed", { file: FIRST, form: {}, error: { ...unclear, answer: { asks: "ENCODING", candidates } } });
  assert.deepEqual([page.state.refused.candidates, page.effects], [candidates, [{ type: "focus", id: "candidate-0" }]]);
  // What was chosen before stays chosen.
  page.on("refusedReadAgain", { form: { encoding: "cp932" } });
  page.on("sampleFailed", { file: FIRST, form: { encoding: "cp932" }, error: { ...unclear, answer: { asks: "HEADER", candidates: [] } } });
  assert.deepEqual([page.state.refused.asks, page.effects], ["HEADER", [{ type: "focus", id: "header-first" }]]);
  page.on("refusedReadAgain", { form: { header_line: "0" } });
  assert.deepEqual(page.effect("readSample").form, { encoding: "cp932", header_line: "0" });
  const other = new Play({ mayChooseForm: false }).on("filesGiven", { files: [FIRST] });
  other.on("sampleFailed", { file: FIRST, form: {}, error: unclear });
  assert.equal(other.state.refused, null);
});

test("no other file is taken while one is uploaded, checked or waited for", () => {
  const page = reading().wants("load");
  assert.equal(takesFiles(page.state), false);
  const message = "You can't choose another file while first.csv is being uploaded or checked.";
  assert.equal(page.on("filesGiven", { files: [SECOND] }).state.messages.notTaken, message);

  page.on("jobCreated", { jobId: "j1" }).on("placeFound", { place: PLACE });
  assert.equal(page.on("filesGiven", { files: [SECOND] }).state.messages.notTaken, message);
  assert.equal(page.state.file.name, "first.csv");

  const checked = reading().checks();
  assert.equal(checked.on("filesHover").state.messages.notTaken, "To choose another file, go back to the columns first.");
  assert.equal(checked.on("columnsWanted").state.messages.notTaken, null);
});

test("a file that is still being read gives way to the job that is begun", () => {
  const page = reading().on("filesGiven", { files: [SECOND] }).wants("load");

  assert.match(page.state.messages.notTaken, /^second.csv was not used, because you continued with first.csv/);
  page.on("sampleRead", { file: SECOND, form: {}, shown: FIRST, sample: SAMPLE });
  assert.equal(page.state.file.name, "first.csv");
  assert.deepEqual(page.effects, []);
});

test("only the answer to the latest question about the file is shown", () => {
  const page = reading().on("formChosen", { form: { delimiter: ";" } });
  const { number } = page.effect("readAgain");
  page.on("formChosen", { form: { delimiter: "|" } });

  assert.deepEqual(page.on("readAgain", { number, form: {}, shown: FIRST, sample: SAMPLE }).does, []);
  assert.deepEqual(page.on("readAgain", { number: number + 1, form: {}, shown: FIRST, sample: SAMPLE }).does, ["showSample"]);
});

test("a sheet of a workbook is shown and sent as CSV, and another one takes its place", () => {
  const first = { name: "book.xlsx", size: 5 };
  const second = { name: "book.xlsx", size: 7 };
  const page = new Play().on("filesGiven", { files: [FIRST] }).on("sampleRead", { file: FIRST, form: {}, shown: first, sample: SAMPLE });
  page.on("formChosen", { form: { sheet: "Other" } });
  assert.deepEqual(page.effects, [{ type: "readAgain", file: first, form: { sheet: "Other" }, number: 2 }]);

  page.on("readAgain", { number: 2, form: {}, shown: second, sample: SAMPLE }).sends("load", { file: page.state.file });

  assert.equal(page.state.job.sentFile, second);
});

test("a saved mapping is in place before the job is described", () => {
  const page = reading().on("mappingChosen", { name: "weekly" });
  const { number } = page.effect("readMapping");
  page.on("begun", { goal: "load" });
  assert.deepEqual([page.state.busy, page.does], ["settling", []]);

  page.on("mappingRead", { number, name: "weekly", mapping: { Targets: {} } });

  assert.deepEqual(page.effects.at(-1), { type: "describe", isAnswered: true });
  assert.deepEqual(page.does, ["applyMapping", "describe"]);
  assert.deepEqual([page.state.busy, page.state.appliedMapping], [null, "weekly"]);
});

test("a mapping that keeps how its file is read has the file read again first", () => {
  const page = reading().on("mappingChosen", { name: "weekly" });
  const { number } = page.effect("readMapping");
  const mapping = { Targets: {}, ReadsFile: true, Sheet: null };
  page.on("begun", { goal: "load" }).on("mappingRead", { number, name: "weekly", mapping, isFileRead: false });
  const form = { mapping: "weekly", sheet: null };
  assert.deepEqual([page.effects, page.state.busy], [[{ type: "readAgain", file: FIRST, form, number }], "settling"]);
  page.on("readAgain", { number, form, shown: FIRST, sample: SAMPLE });
  assert.deepEqual(page.effects.at(-1), { type: "readMapping", name: "weekly", number, isFileRead: true });
  page.on("mappingRead", { number, name: "weekly", mapping, isFileRead: true });
  assert.deepEqual(page.does, ["applyMapping", "describe"]);

  const failed = reading().on("mappingChosen", { name: "weekly" });
  failed.on("mappingRead", { number: 2, name: "weekly", mapping, isFileRead: false }).on("readAgainFailed", { number: 2, form, error: LOST });
  assert.deepEqual([failed.effects, failed.state.drift.error, failed.state.open], [[{ type: "restoreMapping", name: "" }], LOST, 0]);
});

test("a question without an answer leaves the job undescribed, and counts once", () => {
  const page = reading().on("mappingChosen", { name: "weekly" });
  const { number } = page.effect("readMapping");
  page.on("begun", { goal: "load" }).on("mappingFailed", { number, error: LOST });

  assert.deepEqual(page.effects, [
    { type: "restoreMapping", name: "" },
    { type: "describe", isAnswered: false },
  ]);
  assert.equal(page.state.drift.error, LOST);
  page.on("fieldsWrong", { id: "saved" });
  assert.deepEqual([page.state.step, page.effects], ["columns", [{ type: "focus", id: "saved" }]]);
  page.on("begun", { goal: "load" });
  assert.deepEqual(page.effects, [{ type: "describe", isAnswered: true }]);
});

test("no saved mapping brings the suggestions back at once", () => {
  const page = reading().on("mappingChosen", { name: "" });

  assert.deepEqual(page.effects, [{ type: "applyMapping", name: "", mapping: null }]);
  assert.equal(page.state.open, 0);
});

test("a job is created, its file is sent, and it is started", () => {
  const page = reading().wants("load");
  assert.deepEqual(page.effects, [{ type: "createJob", description: "{}", name: "first.csv", token: "t1", replaces: null }]);

  page.on("jobCreated", { jobId: "j1" }).on("placeFound", { place: PLACE });
  assert.deepEqual(page.does, ["open", "send"]);
  assert.equal(page.state.step, "transfer");
  page.on("sent");
  assert.deepEqual(page.effects, [{ type: "startJob", jobId: "j1", isConfirmed: false }]);
  page.on("changed").on("started", { location: "/jobs/j1" });

  assert.deepEqual(page.effects, [{ type: "leave", location: "/jobs/j1" }]);
  assert.equal(page.state.isChanged, false);
});

test("nothing is begun twice", () => {
  const page = reading().wants("load");

  assert.deepEqual(page.on("begun", { goal: "check" }).effects, []);
  assert.equal(page.state.goal, "load");
});

test("a request whose answer was lost is repeated with the same token", () => {
  const page = reading().wants("load").on("jobFailed", { error: LOST });
  assert.deepEqual([page.state.messages.job, page.state.busy], [LOST, null]);

  assert.equal(page.wants("load", { token: "t2" }).effect("createJob").token, "t1");
  page.on("jobFailed", { error: LOST });
  assert.equal(page.wants("load", { token: "t3", name: "Weekly" }).effect("createJob").token, "t3");
});

test("a job that is renamed after its check is not sent again", () => {
  const page = reading().checks().on("columnsWanted").wants("load", { name: "Weekly" });
  assert.deepEqual(page.effects, [{ type: "renameJob", jobId: "j1", name: "Weekly" }]);

  assert.deepEqual(page.on("jobRenamed").does, ["startJob"]);
});

test("a job that is described otherwise replaces the earlier one", () => {
  const page = reading().checks().on("columnsWanted").wants("load", { description: '{"other":1}', token: "t2" });

  assert.deepEqual(page.effect("createJob"), { type: "createJob", description: '{"other":1}', name: "first.csv", token: "t2", replaces: "j1" });
  // What is wrong with the new one says nothing about the earlier.
  page.on("jobFailed", { error: { message: "No.", status: 400 } });
  assert.equal(page.state.job.id, "j1");
});

test("another file with the same description is sent for the same job", () => {
  const page = reading().checks().on("columnsWanted").reads(SECOND).wants("load");

  assert.deepEqual(page.effects, [{ type: "findPlace", jobId: "j1" }]);
  assert.equal(page.on("placeFound", { place: PLACE }).effect("send").file.name, "second.csv");
});

test("a file whose connection was lost is sent again for the same job", () => {
  const page = reading().wants("load").on("jobCreated", { jobId: "j1" }).on("placeFound", { place: PLACE });
  page.on("sendFailed", { isCancelled: false, error: "The connection was lost." });
  assert.deepEqual([page.state.transfer.status, page.state.messages.transfer, page.does], ["failed", "The connection was lost.", ["focus"]]);

  page.on("triedAgain").on("described", { wanted: { ...page.state.wanted }, token: "t2" });

  assert.deepEqual(page.effects, [{ type: "findPlace", jobId: "j1" }]);
});

test("a cancelled upload discards its job, if the user may", () => {
  const page = reading().wants("load").on("jobCreated", { jobId: "j1" }).on("placeFound", { place: PLACE });
  assert.deepEqual(page.on("cancelled").does, ["cancelTransfer"]);
  page.on("sendFailed", { isCancelled: true, error: "Upload cancelled." });
  assert.deepEqual([page.effects, page.state.busy], [[{ type: "stopJob", jobId: "j1" }], "stopping"]);
  assert.deepEqual(page.on("jobStopped").effects, [{ type: "focus", id: "again" }]);

  page.on("triedAgain").on("described", { wanted: { ...page.state.wanted }, token: "t2" });
  assert.deepEqual([page.effect("createJob").token, page.effect("createJob").replaces], ["t2", "j1"]);

  const other = reading(FIRST, { mayStop: false }).wants("load").on("jobCreated", { jobId: "j1" }).on("placeFound", { place: PLACE });
  assert.deepEqual(other.on("sendFailed", { isCancelled: true, error: "Upload cancelled." }).does, ["focus"]);
  other.on("triedAgain").on("described", { wanted: { ...other.state.wanted }, token: "t2" });
  assert.deepEqual(other.does, ["findPlace"]);
});

test("a webhook that is refused is marked at its field", () => {
  const page = reading().wants("check").on("jobFailed", { error: { message: "No public address.", status: 400, member: "Webhook.Url" } });

  assert.deepEqual([page.state.messages.webhook, page.state.messages.job], ["No public address.", null]);
  assert.deepEqual(page.effects, [{ type: "focus", id: "webhook-url" }]);
  assert.equal(page.on("begun", { goal: "check" }).state.messages.webhook, null);
});

test("a check is followed to its end, with longer and longer pauses", () => {
  const page = reading().sends("check");
  assert.deepEqual([page.state.step, page.state.check.text, page.does], ["preview", "Queued", ["open", "startCheck"]]);
  page.on("checkStarted", { previewId: "p1" });
  const { number } = page.effect("readCheck");
  const pauses = [];
  for (let look = 0; look < 10; look += 1) {
    page.on("checkSeen", { number, found: { Phase: "stage", Progress: { Doing: "Reading the file" }, Position: 300 } });
    pauses.push(page.effect("waitForCheck").pauseMs);
    assert.deepEqual(page.on("checkWaited", { number }).effects, [{ type: "readCheck", number, previewId: "p1" }]);
  }
  assert.deepEqual([page.state.check.text, page.state.check.rows], ["Reading the file", 300]);
  assert.deepEqual([pauses[0], pauses.at(-1)], [250, 1500]);

  page.on("checkSeen", { number, found: { CompletedAt: 1, Status: "SUCCEEDED" } });

  assert.deepEqual([page.state.check.status, page.state.check.title], ["checked", "What this import would do"]);
  assert.deepEqual(page.on("checkedFileLoaded").does, ["describe"]);
});

test("a check of an import that would fail says so", () => {
  const page = reading().checks({ Status: "FAILED", Message: "4 rows failed." });

  assert.equal(page.state.check.title, "The import would fail");
  assert.equal(page.state.messages.preview, "Nothing has been imported. The import would fail with: “4 rows failed.”");
});

test("an earlier check is not mistaken for the latest", () => {
  const page = reading().checks().on("columnsWanted");
  const { number } = page.state.check;
  page.wants("check").on("checkStarted", { previewId: "p2" });

  assert.deepEqual(page.on("checkSeen", { number, found: { Progress: { Doing: "Old" } } }).effects, []);
  assert.deepEqual(page.on("checkWaited", { number }).effects, []);
  assert.deepEqual(page.on("checkLost", { number, error: LOST }).state.check.status, "running");
  // It can be cancelled as soon as it is known.
  assert.deepEqual(page.on("checkCancelled").effects, [{ type: "stopCheck", previewId: "p2" }]);
  page.on("checkSeen", { number: number + 1, found: { CompletedAt: 1, Status: "STOPPED" } });
  assert.deepEqual([page.state.check.title, page.state.messages.preview], ["Check cancelled", null]);
});

test("a check that was lost on the way is found again, and one that is gone is made again", () => {
  const page = reading().sends("check").on("checkStarted", { previewId: "p1" });
  page.on("checkLost", { number: page.state.check.number, error: LOST });
  assert.deepEqual([page.state.check.title, page.state.messages.preview], ["Lost track of the check", LOST]);
  page.on("checkedAgain");
  assert.deepEqual([page.does, page.state.check.text], [["focus", "readCheck"], "Reconnecting"]);

  page.on("checkLost", { number: page.state.check.number, error: { message: "No such check.", status: 404 } });

  assert.deepEqual(page.on("checkedAgain").does, ["describe"]);
});

test("a job that was removed in the meantime is created again by the next attempt", () => {
  const page = reading().checks().on("checkedFileLoaded").on("described", { wanted: { file: FIRST, name: "first.csv", description: "{}" }, token: "t2" });
  page.on("notStarted", { error: { message: "It is STOPPED.", status: 400 } });
  assert.equal(page.state.messages.preview.message, "It is STOPPED.");

  page.on("columnsWanted").wants("load", { token: "t3" });

  assert.deepEqual([page.effect("createJob").token, page.effect("createJob").replaces], ["t3", null]);
});

test("a start that failed after the upload is tried again without the file", () => {
  const page = reading().sends("load").on("notStarted", { error: LOST });
  assert.deepEqual([page.state.transfer.title, page.state.transfer.status], ["The import was not started", "failed"]);

  page.on("triedAgain").on("described", { wanted: { ...page.state.wanted, file: page.state.job.sentFile }, token: "t2" });

  assert.deepEqual(page.does, ["startJob"]);
});

test("doubtful rows are confirmed before the import, once for each job", () => {
  const doubtful = { Notices: [{ Message: "20 rows create profiles of their own.", Doubtful: true }, { Message: "1 row was skipped.", Doubtful: false }] };
  const asking = { description: '{"DoubtfulRows":"REFUSE"}' };
  const page = reading().checks(doubtful, asking);
  assert.equal(page.state.check.result.doubts.length, 1);

  page.on("checkedFileLoaded");
  assert.match(page.state.messages.doubts, /^Tick this box/);
  assert.deepEqual(page.effects, [{ type: "focus", id: "doubts-confirmed" }]);
  assert.equal(page.on("confirmed", { isConfirmed: true }).state.messages.doubts, null);
  page.on("checkedFileLoaded").on("described", { wanted: page.state.wanted, token: "t2" });
  assert.deepEqual(page.effects, [{ type: "startJob", jobId: "j1", isConfirmed: true }]);

  page.on("notStarted", { error: LOST }).on("columnsWanted").wants("load", { description: '{"other":1}' });
  page.on("jobCreated", { jobId: "j2" }).on("placeFound", { place: PLACE });
  assert.equal(page.on("sent").effect("startJob").isConfirmed, false);
  assert.deepEqual(reading().checks(doubtful, { description: '{"DoubtfulRows":"LOAD"}' }).state.check.result.doubts, []);
});

test("an event without a transition is an error", () => {
  assert.throws(() => new Play().on("unheardOf"), /no transition for unheardOf/);
});
