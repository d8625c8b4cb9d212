// The encodings that a file may have, each with words of the file as it decodes them, to choose from.

import { make } from "./elements.js";

// candidates: {Encoding, Words}; prefix: of the ids of the buttons, which are numbered from 0.
export function encodingChoices(candidates, { prefix, onChoose }) {
  return candidates.map(({ Encoding: encoding, Words: words }, index) => {
    const button = make("button", { type: "button", id: `${prefix}-${index}`, "aria-describedby": `${prefix}-words-${index}` }, `Read as ${encoding}`);
    button.addEventListener("click", () => onChoose(encoding));
    return make("li", {}, button, make("span", { id: `${prefix}-words-${index}` }, words.join(", ")));
  });
}
