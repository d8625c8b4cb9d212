// Counts the customers in a segment: one that is stored, or the one that is being typed.

import { ask, showMessage } from "./ask.js";
import { find, make } from "./elements.js";

const POLL_MS = 150;
const TYPING_MS = 600;
const form = find("segment-form");
const place = form?.dataset.count ? form : find("count")?.dataset.count ? find("count") : null;
let asked = 0;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const inWords = (number) => number.toLocaleString();

async function count(started, number) {
  const path = place.dataset.estimates + started.EstimateId;
  while (number === asked) {
    const found = await ask(path, { method: "GET" });
    if (found.Status === "FAILED") {
      throw new Error(found.Message);
    }
    if (found.Status === "SUCCEEDED") {
      find("count-text").textContent = `${inWords(found.Members)} of ${inWords(found.Profiles)} customers`;
      find("count").hidden = false;
      return;
    }
    await pause(POLL_MS);
  }
}

async function refresh() {
  asked += 1;
  const number = asked;
  try {
    const body = form ? new Blob([new URLSearchParams(new FormData(form))]) : null;
    const started = await ask(place.dataset.count, { body });
    if (number !== asked) {
      return;
    }
    showMessage(find("count-fault"), null);
    showExamples(started.Examples ?? []);
    await count(started, number);
  } catch (error) {
    if (number === asked) {
      find("count-text").textContent = "";
      showExamples([]);
      showMessage(find("count-fault"), error);
    }
  }
}

function showExamples(examples) {
  find("count-examples")?.replaceChildren(
    ...examples.map((one) => make("li", {}, make("a", { href: form.dataset.profiles + one.ProfileId, dir: "auto" }, one.Title))),
  );
}

if (place === form && form) {
  let timer = null;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, TYPING_MS);
  };
  form.addEventListener("input", (event) => {
    if (event.target.closest(".conditions")) {
      later();
    }
  });
  if ([...form.querySelectorAll(".condition input")].some((field) => field.value)) {
    refresh();
  }
} else if (place) {
  refresh();
}
