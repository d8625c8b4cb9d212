// Adds rows for more new attributes than the form comes with.

import { find, make } from "./elements.js";

const fieldset = find("attributes");
const button = make("button", { type: "button" }, "Add attribute");
button.addEventListener("click", () => {
  const rows = fieldset.querySelectorAll(".new-attribute");
  const row = rows[rows.length - 1].cloneNode(true);
  const last = Number(row.querySelector("input").id.split(".")[1]);
  row.setAttribute("aria-label", `New attribute ${rows.length + 1}`);
  for (const message of row.querySelectorAll(".fault, .note")) {
    message.remove();
  }
  for (const field of row.querySelectorAll("input, textarea")) {
    const id = field.id.replace(`.${last}.`, `.${last + 1}.`);
    row.querySelector(`label[for="${field.id}"]`).htmlFor = id;
    field.id = field.name = id;
    field.value = "";
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  button.before(row);
  row.querySelector("input").focus();
});
fieldset.append(button);
