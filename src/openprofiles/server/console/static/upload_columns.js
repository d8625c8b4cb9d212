// The list of the file's columns: what is in each, and where it goes.

import { percent } from "./amounts.js";
import { make, makeSvg } from "./elements.js";

const ATTRIBUTES = "Attributes.";
const PLAIN = 0.8;
const MOST_LIKE = 4;

// Names are the same however they are spelled: “first name”, “FirstName”, “First-Name”.
const fold = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

export class Columns {
  // targets: {path, label} of each field; checked: the usual check of each that has one; twins: other names of fields.
  constructor({ list, targets, checked, twins, onChange }) {
    this.list = list;
    this.checked = new Map(Object.entries(checked));
    this.labels = targets.map(({ label }) => label);
    this.paths = new Map(targets.flatMap(({ path, label }) => [[fold(label), path], [fold(path), path]]));
    for (const [name, path] of Object.entries(twins)) {
      this.paths.set(fold(name), path);
    }
    this.onChange = onChange;
    this.columns = [];
  }

  get headers() {
    return this.columns.map((column) => column.header);
  }

  // Those that are loaded, with the path of each; null where what was typed is none.
  get loaded() {
    return this.columns.filter((column) => column.input?.value.trim()).map((column) => ({
      column,
      header: column.header,
      path: this.pathOf(column.input.value),
    }));
  }

  // keeps: the file is the same, only read anew, so what was chosen holds where the headers are as they were.
  show(suggested, { keeps }) {
    const chosen = new Map(keeps ? this.columns.filter((one) => one.chosenBy === "you").map((one) => [one.header, one.input.value]) : []);
    this.columns = suggested.map((suggestion, index) => this.makeColumn(suggestion, index));
    this.list.replaceChildren(...this.columns.map((column) => column.item));
    for (const column of this.columns) {
      if (column.input && chosen.has(column.header)) {
        column.input.value = chosen.get(column.header);
        column.chosenBy = "you";
        this.explain(column);
      }
    }
  }

  // Targets by header, of a saved mapping of this name; null: those that are suggested.
  choose(targets, name) {
    for (const column of this.columns) {
      if (column.input) {
        column.input.value = targets === null ? column.suggestion.Target : targets.get(column.header) ?? "";
        column.chosenBy = targets === null ? null : name;
        this.explain(column);
      }
    }
    this.onChange();
  }

  // The targets by header, as JSON takes them; a header may have any name.
  targets() {
    const targets = Object.create(null);
    for (const { header, path } of this.loaded) {
      targets[header] = path;
    }
    return targets;
  }

  // The usual checks by header, of the kinds that are wanted.
  checks(kinds) {
    const checks = Object.create(null);
    for (const { header, path } of this.loaded) {
      const kind = this.checked.get(path);
      if (kind && kinds.has(kind)) {
        checks[header] = { Type: kind };
      }
    }
    return checks;
  }

  // Marks what cannot be; the first field that is wrong, or null.
  findFault() {
    const owners = new Map();
    let first = null;
    for (const { column, path } of this.loaded) {
      const text = column.input.value.trim();
      let fault = null;
      if (path === null) {
        fault = text.toLowerCase() === "attributes." ? "Write a name behind Attributes." : `A profile has no such field.${this.likeness(text)} For a value of your own, write ${ATTRIBUTES}${text}`;
      } else if (owners.has(path)) {
        fault = `The column ${owners.get(path)} goes there already.`;
      }
      owners.set(path, column.header);
      this.mark(column, fault);
      first ??= fault === null ? null : column.input;
    }
    return first;
  }

  mark(column, fault) {
    column.fault.hidden = fault === null;
    column.fault.textContent = fault ?? "";
    column.input.removeAttribute("aria-invalid");
    if (fault !== null) {
      column.input.setAttribute("aria-invalid", "true");
    }
  }

  pathOf(typed) {
    const text = typed.trim();
    if (text.toLowerCase().startsWith(ATTRIBUTES.toLowerCase())) {
      const name = text.slice(ATTRIBUTES.length).trim();
      return name ? ATTRIBUTES + name : null;
    }
    return this.paths.get(fold(text)) ?? null;
  }

  // Names the fields that may be meant by what is none.
  likeness(text) {
    const like = fold(text) ? this.labels.filter((label) => fold(label).includes(fold(text))) : [];
    return like.length ? ` Do you mean ${like.slice(0, MOST_LIKE).map((label) => `“${label}”`).join(" or ")}?` : "";
  }

  makeColumn(suggestion, index) {
    const header = suggestion.Header;
    const shown = header.trim() ? header : `Column ${index + 1}, without a name`;
    const examples = make("p", { class: "examples", id: `examples-${index}` }, ...suggestion.Examples.map((value) => make("span", {}, value)));
    if (!suggestion.Examples.length) {
      examples.append("no values in the first rows");
    }
    const why = make("div", { class: "why", id: `why-${index}` });
    if (!suggestion.Target) {
      why.textContent = `Left out: ${suggestion.Reason}.`;
      const item = make("li", { class: "out" }, make("div", {}, make("span", { class: "fixed" }, shown), examples), make("div"), why);
      return { header, suggestion, item, input: null };
    }
    const input = make("input", {
      id: `target-${index}`,
      list: "targets",
      placeholder: "left out",
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "off",
      maxlength: 266,
      "aria-describedby": `fault-${index} why-${index} examples-${index}`,
    });
    input.value = suggestion.Target;
    const fault = make("p", { class: "fault", id: `fault-${index}`, hidden: true });
    const toggle = make("button", { type: "button", class: "quiet" });
    const item = make(
      "li",
      {},
      make("div", {}, make("label", { for: input.id }, shown), examples),
      make("div", {}, make("div", { class: "target" }, input, toggle), fault),
      why,
    );
    const column = { header, shown, suggestion, item, input, fault, toggle, why, chosenBy: null };
    // What is there is replaced by what one types, so that the whole list can be searched at once.
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", () => this.change(column));
    input.addEventListener("change", () => {
      input.value = this.pathOf(input.value) ?? input.value.trim();
      this.change(column);
    });
    toggle.addEventListener("click", () => {
      input.value = input.value.trim() ? "" : suggestion.Target;
      this.change(column);
    });
    this.explain(column);
    return column;
  }

  change(column) {
    column.chosenBy = this.pathOf(column.input.value) === column.suggestion.Target ? null : "you";
    this.mark(column, null);
    this.explain(column);
    this.onChange();
  }

  explain(column) {
    const { suggestion, why, item, toggle } = column;
    const isOut = !column.input.value.trim();
    const isDoubtful = !isOut && column.chosenBy === null && suggestion.IsDoubtful;
    toggle.textContent = isOut ? "Take it in" : "Leave out";
    toggle.setAttribute("aria-label", `${toggle.textContent}: ${column.shown}`);
    item.className = isOut ? "out" : isDoubtful ? "doubtful" : "";
    if (isOut) {
      why.replaceChildren("Left out");
    } else if (column.chosenBy !== null) {
      why.replaceChildren(column.chosenBy === "you" ? "Chosen by you" : `From the mapping ${column.chosenBy}`);
    } else {
      const sure = `${percent(suggestion.Confidence)} sure`;
      // Why somebody is sure is of interest to few.
      const isPlain = suggestion.Confidence >= PLAIN;
      why.replaceChildren(
        make("div", { class: "confidence", title: suggestion.Reason }, meter(suggestion.Confidence), isDoubtful ? `Look at this: ${sure}` : sure),
        make("p", { class: isPlain ? "visually-hidden" : "why" }, suggestion.Reason),
      );
    }
  }
}

function meter(share) {
  return makeSvg(
    "svg",
    { width: 48, height: 8, "aria-hidden": "true" },
    makeSvg("rect", { class: "meter-ground", width: 48, height: 8, rx: 4 }),
    makeSvg("rect", { class: "meter-part", width: 48 * share, height: 8, rx: 4 }),
  );
}
