// The fields of the page that describe an import: the mapping of its columns, its unique key and its options.

import { mark } from "./ask.js";
import { find, make } from "./elements.js";
import { Columns } from "./upload_columns.js";

// The usual checks, with the ids of their fields.
const CHECKS = { EMAIL_ADDRESS: "check-email", PHONE_NUMBER: "check-phone" };
const POLICIES = { "write-mode": ["WriteMode", "CREATE_AND_UPDATE"], "blank-cells": ["BlankCells", "KEEP"], "short-rows": ["ShortRows", "JUDGE"], "hand-set": ["HandSetFields", "KEEP"] };

export class JobForm {
  // checked, twins: as for Columns.
  // workbookForm: how the CSV of a workbook is read.
  constructor({ checked, twins, maxDays, workbookForm }) {
    this.maxDays = maxDays;
    this.workbookForm = workbookForm;
    this.suggestedKey = null;
    // What the sample says about each column as the unique key, by header.
    this.keyEvidence = new Map();
    // The unique key that the user has chosen for this file, or null.
    this.chosenKey = null;
    // What a saved mapping keeps about reading the file that has no field of its own, as in the options of a job.
    this.keptForm = {};
    this.columns = new Columns({
      list: find("mapping"),
      targets: [...find("targets").options].map((option) => ({ path: option.label, label: option.value })),
      checked,
      twins,
      onChange: () => this.offerKeys(),
    });
    find("unique-key").addEventListener("change", () => {
      this.chosenKey = find("unique-key").value;
      this.showKeyEvidence();
    });
    find("limit")?.addEventListener("change", (event) => {
      find("limit-number-part").hidden = !["records", "percent"].includes(event.target.value);
    });
  }

  // previous: the file that was shown before, or null.
  nameAfter(file, previous) {
    const name = find("name");
    if (previous === null || name.value === previous.name.slice(0, 255)) {
      name.value = file.name.slice(0, 255);
    }
  }

  // isSameFile: it is only read again, so what the user has chosen is kept where it still fits.
  show(sample, { isSameFile }) {
    this.suggestedKey = sample.UniqueKey ?? null;
    this.keyEvidence = new Map(sample.UniqueKeys.map((evidence) => [evidence.Header, evidence]));
    find("phone-country").replaceChildren(...describePhoneCountry(sample.PhoneCountry));
    this.columns.show(sample.Columns, { keeps: isSameFile });
    this.chosenKey = isSameFile ? this.chosenKey : null;
    this.offerKeys(this.columns.loaded.some(({ header }) => header === this.chosenKey) ? this.chosenKey : this.suggestedKey);
  }

  // mapping: a saved one; null for the suggestions.
  apply(name, mapping) {
    this.chosenKey = null;
    if (mapping?.ShortRows && find("short-rows")) {
      find("short-rows").value = mapping.ShortRows;
    }
    if (mapping === null) {
      this.columns.choose(null, null);
      this.offerKeys(this.suggestedKey);
    } else {
      this.columns.choose(new Map(Object.entries(mapping.Targets)), name);
      this.offerKeys(mapping.UniqueKey);
    }
  }

  // Offers the columns that are not skipped as unique keys. wanted: the header of the one to choose.
  offerKeys(wanted = find("unique-key").value) {
    const select = find("unique-key");
    const { columns } = this;
    const options = columns.loaded.map(({ header, path }) => make("option", { value: header }, path === null || columns.nameOf(path) === header ? header : `${header} (${columns.nameOf(path)})`));
    const isThere = columns.loaded.some(({ header }) => header === wanted);
    if (!isThere) {
      options.unshift(make("option", { value: "" }, "Choose a column"));
    }
    select.replaceChildren(...options);
    select.value = isThere ? wanted : "";
    this.showKeyEvidence();
  }

  // Shows how well the chosen unique key identifies the customers of the sample.
  showKeyEvidence() {
    const evidence = this.keyEvidence.get(find("unique-key").value);
    const parts = evidence ? [make("p", { class: "hint" }, `${evidence.Evidence} ${evidence.Consequence}`), ...evidence.Doubts.map((doubt) => make("p", { class: "warning" }, `Doubtful: ${doubt}.`))] : [];
    find("unique-key-evidence").replaceChildren(...parts);
  }

  describeMapping() {
    return { Columns: this.columns.headers, Targets: this.columns.targets(), UniqueKey: find("unique-key").value };
  }

  // How the file is read, as a saved mapping keeps it, as far as the user may choose that.
  describeReading(file) {
    if (!find("write-mode")) {
      return {};
    }
    const reading = { ...this.keptForm, ...describeForm() };
    if (file.workbook) {
      reading.Sheet = file.workbook.Sheet;
    }
    if (find("short-rows").value !== "JUDGE") {
      reading.ShortRows = find("short-rows").value;
    }
    return { Reading: reading };
  }

  // Shows how a new file is read, by what the user has chosen.
  showForm(form) {
    this.keptForm = {};
    for (const { id, name } of FORM) {
      if (find(id)) {
        find(id).value = form[name] ?? "";
      }
    }
    if (find("form-details")) {
      find("form-details").open = FORM.some(({ name }) => form[name]);
    }
  }

  // Shows what a saved mapping keeps of how the file is read. form: what it was read as.
  showKept(form) {
    const kept = form.Given.map((member) => [member, form[member]]);
    const fields = new Map(FORM.map(({ member, name }) => [member, name]));
    this.showForm(Object.fromEntries(kept.filter(([member]) => fields.has(member)).map(([member, value]) => [fields.get(member), String(value)])));
    this.keptForm = Object.fromEntries(kept.filter(([member]) => !fields.has(member)));
  }

  // Marks every wrong field of the mapping; returns the first, or null.
  findMappingFault() {
    const wrong = this.columns.findFault();
    const key = find("unique-key");
    mark(key, key.value ? null : "Choose the column used to recognise customers.");
    return wrong ?? (key.value ? null : key);
  }

  // Marks every wrong field; returns the first, or null. file: the one that is shown.
  findFault(file) {
    let first = this.findMappingFault();
    const faults = [
      ["name", (text) => (text ? null : "Enter a name for this import.")],
      ["days", (text) => (/^[0-9]{1,4}$/.test(text) && text >= 1 && text <= this.maxDays ? null : `Enter a whole number from 1 to ${this.maxDays}.`)],
      ["blank-cells", (policy) => (policy === "CLEAR" ? this.faultOfClearing(file.workbook) : null)],
      ["limit-number", (text) => faultOfLimit(find("limit").value, text)],
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

  // Cells whose value is not in the workbook are not meant to clear anything.
  faultOfClearing(workbook) {
    const headers = (workbook?.ColumnsWithoutValues ?? []).map((index) => this.columns.headers[index]);
    const affected = this.columns.loaded.map(({ header }) => header).filter((header) => headers.includes(header));
    return affected.length ? `The sheet has cells whose value is not in the file, in: ${affected.join(", ")}. They would clear fields. Fix them, skip these columns, or keep the field's value.` : null;
  }

  // Describes the job as the page shows it now, even if the page changes later. The name can be changed later.
  describe(file) {
    const { Targets, UniqueKey } = this.describeMapping();
    const description = { Targets, UniqueKey, DataExpiry: Number(find("days").value) };
    if (find("doubtful-rows")) {
      description.DoubtfulRows = find("doubtful-rows").value;
    }
    const options = this.describeOptions(file);
    if (options !== null) {
      description.Options = options;
    }
    return { file, name: find("name").value.trim(), description: JSON.stringify(description) };
  }

  describeOptions(file) {
    if (!find("write-mode")) {
      return null;
    }
    const options = {};
    const chosen = { ...this.keptForm, ...describeForm() };
    if (file.workbook || Object.keys(chosen).length) {
      options.File = { ...(file.workbook ? this.workbookForm : {}), ...chosen };
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
    const kinds = Object.keys(CHECKS).filter((kind) => find(CHECKS[kind]).checked);
    if (find("webhook-url").value.trim()) {
      options.Webhook = { Url: find("webhook-url").value.trim() };
    }
    const checks = this.columns.checks(kinds);
    if (Object.keys(checks).length) {
      options.Checks = checks;
    }
    return Object.keys(options).length ? options : null;
  }
}

// How a file is read: the ids of the fields, with the names of what they choose in requests for a sample, and in jobs.
const FORM = [
  { id: "encoding", name: "encoding", member: "Encoding" },
  { id: "delimiter", name: "delimiter", member: "Delimiter" },
  { id: "header-line", name: "header_line", member: "HeaderLine", isNumber: true },
];

// Returns what the user has chosen, by name.
export function readForm() {
  const chosen = FORM.map(({ id, name }) => [name, find(id)?.value.trim() ?? ""]);
  if (find("workbook") && !find("workbook").hidden) {
    chosen.push(["sheet", find("sheet").value]);
  }
  return Object.fromEntries(chosen.filter(([, value]) => value));
}

function describeForm() {
  const chosen = readForm();
  return Object.fromEntries(FORM.filter(({ name }) => name in chosen).map(({ name, member, isNumber }) => [member, isNumber ? Number(chosen[name]) : chosen[name]]));
}

// country: {Text, Doubt}; undefined if all phone numbers have a country code.
function describePhoneCountry(country) {
  if (!country) {
    return [];
  }
  const doubt = `${country.Doubt} Numbers from other countries are compared by their digits alone. The country of a domain cannot be changed; to use a different one, import into a new domain.`;
  return [make("p", { class: "hint" }, country.Text), !country.Doubt ? null : make("p", { class: "warning" }, doubt)].filter(Boolean);
}

function faultOfLimit(kind, text) {
  if (kind === "records") {
    return /^[0-9]{1,12}$/.test(text) ? null : "Enter a whole number of rows.";
  }
  if (kind === "percent") {
    const value = Number(text.replace(",", "."));
    return text && value >= 0 && value <= 100 ? null : "Enter a number from 0 to 100.";
  }
  return null;
}
