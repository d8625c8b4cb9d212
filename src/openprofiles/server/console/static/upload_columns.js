// The list of the file's columns: what is in each, and the field that it goes to. Fields are shown by their names for
// people; both these and the API's names can be typed.

import { percent } from "./amounts.js";
import { mark } from "./ask.js";
import { make, makeSvg } from "./elements.js";

const ATTRIBUTES = "Attributes.";
const PLAIN = 0.8;
const MOST_LIKE = 4;

// Names are the same however they are spelled: “first name”, “FirstName”, “First-Name”.
const fold = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

export class Columns {
  // targets: {path, label} of each field; checked: the usual check of each field that has one; twins: other API names of
  // fields.
  constructor({ list, targets, checked, twins, onChange }) {
    this.list = list;
    this.checked = new Map(Object.entries(checked));
    this.labels = new Map(targets.map(({ path, label }) => [path, label]));
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

  // The columns that are not skipped, with the path of each; null where what was typed is not a field.
  get loaded() {
    return this.columns.filter((column) => column.input?.value.trim()).map((column) => ({
      column,
      header: column.header,
      path: this.pathOf(column.input.value),
    }));
  }

  // keeps: the file is the same, only read again, so choices are kept for headers that have not changed.
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

  // Applies the targets by header of the saved mapping with this name; null: the suggested ones.
  choose(targets, name) {
    for (const column of this.columns) {
      if (column.input) {
        column.input.value = this.shown(targets === null ? column.suggestion.Target : targets.get(column.header) ?? "");
        column.chosenBy = targets === null ? null : name;
        this.explain(column);
      }
    }
    this.onChange();
  }

  // The targets by header, ready for JSON; a header may have any name.
  targets() {
    const targets = Object.create(null);
    for (const { header, path } of this.loaded) {
      targets[header] = path;
    }
    return targets;
  }

  // The usual checks of these kinds, by header.
  checks(kinds) {
    const checks = Object.create(null);
    for (const { header, path } of this.loaded) {
      const kind = this.checked.get(path);
      if (kinds.includes(kind)) {
        checks[header] = { Type: kind };
      }
    }
    return checks;
  }

  // Marks every wrong field; returns the first, or null.
  findFault() {
    const owners = new Map();
    let first = null;
    for (const { column, path } of this.loaded) {
      const text = column.input.value.trim();
      let fault = null;
      if (path === null) {
        fault = text.toLowerCase() === "attributes." ? "Add a name after “Attributes.”" : `“${text}” is not a field of a profile.${this.likeness(text)} To keep the column as a custom attribute, enter ${ATTRIBUTES}${text}`;
      } else if (owners.has(path)) {
        fault = `The column ${owners.get(path)} already goes to this field.`;
      }
      owners.set(path, column.header);
      mark(column.input, fault);
      first ??= fault === null ? null : column.input;
    }
    return first;
  }

  pathOf(typed) {
    const text = typed.trim();
    if (text.toLowerCase().startsWith(ATTRIBUTES.toLowerCase())) {
      const name = text.slice(ATTRIBUTES.length).trim();
      return name ? ATTRIBUTES + name : null;
    }
    return this.paths.get(fold(text)) ?? null;
  }

  // Suggests fields for a text that is not a field.
  likeness(text) {
    const like = fold(text) ? [...this.labels.values()].filter((label) => fold(label).includes(fold(text))) : [];
    return like.length ? ` Did you mean ${like.slice(0, MOST_LIKE).map((label) => `“${label}”`).join(" or ")}?` : "";
  }

  // The name of a field for people; of a custom attribute its own.
  nameOf(path) {
    return this.labels.get(path) ?? (path.startsWith(ATTRIBUTES) ? path.slice(ATTRIBUTES.length) : path);
  }

  // A path as its input shows it: a custom attribute keeps its prefix, which says what it is.
  shown(path) {
    return this.labels.get(path) ?? path;
  }

  makeColumn(suggestion, index) {
    const header = suggestion.Header;
    const shown = header.trim() ? header : `Column ${index + 1} (no name)`;
    const examples = make("p", { class: "examples", id: `examples-${index}` }, ...suggestion.Examples.map((value) => make("span", {}, value)));
    if (!suggestion.Examples.length) {
      examples.append("no values in the first rows");
    }
    const why = make("div", { class: "why", id: `why-${index}` });
    if (!suggestion.Target) {
      why.textContent = `Skipped: ${suggestion.Reason}.`;
      const item = make("li", { class: "out" }, make("div", {}, make("span", { class: "fixed" }, shown), examples), make("div"), why);
      return { header, suggestion, item, input: null };
    }
    const input = make("input", {
      id: `target-${index}`,
      list: "targets",
      placeholder: "Skipped",
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "off",
      maxlength: 266,
      "aria-describedby": `target-${index}-fault api-name-${index} why-${index} examples-${index}`,
    });
    input.value = this.shown(suggestion.Target);
    const apiName = make("code", { class: "api-name", id: `api-name-${index}` });
    const fault = make("p", { class: "fault", id: `target-${index}-fault`, hidden: true });
    const toggle = make("button", { type: "button", class: "quiet" });
    const item = make(
      "li",
      {},
      make("div", {}, make("label", { for: input.id }, shown), examples),
      make("div", {}, make("div", { class: "target" }, input, toggle), apiName, fault),
      why,
    );
    const column = { header, shown, suggestion, item, input, apiName, toggle, why, chosenBy: null };
    // Typing replaces the present value, so that the whole list can be searched at once.
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", () => this.change(column));
    input.addEventListener("change", () => {
      const path = this.pathOf(input.value);
      input.value = path === null ? input.value.trim() : this.shown(path);
      this.change(column);
    });
    toggle.addEventListener("click", () => {
      input.value = input.value.trim() ? "" : this.shown(suggestion.Target);
      this.change(column);
    });
    this.explain(column);
    return column;
  }

  change(column) {
    column.chosenBy = this.pathOf(column.input.value) === column.suggestion.Target ? null : "you";
    mark(column.input, null);
    this.explain(column);
    this.onChange();
  }

  explain(column) {
    const { suggestion, why, item, toggle } = column;
    const isOut = !column.input.value.trim();
    const path = this.pathOf(column.input.value);
    column.apiName.textContent = path !== null && this.labels.has(path) ? path : "";
    const isDoubtful = !isOut && column.chosenBy === null && suggestion.Doubtful;
    toggle.textContent = isOut ? "Include" : "Skip";
    toggle.setAttribute("aria-label", `${toggle.textContent}: ${column.shown}`);
    item.className = isOut ? "out" : isDoubtful ? "doubtful" : "";
    if (isOut) {
      why.replaceChildren("Skipped");
    } else if (column.chosenBy !== null) {
      why.replaceChildren(column.chosenBy === "you" ? "Chosen by you" : `From the mapping ${column.chosenBy}`);
    } else if (suggestion.Target.startsWith(ATTRIBUTES)) {
      why.replaceChildren(make("p", { class: "why" }, suggestion.Reason));
    } else {
      const sure = `${percent(suggestion.Confidence)} sure`;
      // The reason for a confident suggestion interests few people.
      const isPlain = suggestion.Confidence >= PLAIN;
      why.replaceChildren(
        make("div", { class: "confidence", title: suggestion.Reason }, meter(suggestion.Confidence), isDoubtful ? `Please check: ${sure}` : sure),
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
