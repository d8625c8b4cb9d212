// The results below the search box follow what is typed: their page is fetched, and its parts are shown here.

import { localise } from "./locale.js";

const PAUSE_MS = 200;
const box = document.querySelector("input[data-results]");
const parts = box.dataset.results.split(" ").map((id) => document.getElementById(id));
let timer = 0;
let request = null;

function address() {
  const text = box.value.trim();
  return location.pathname + (text ? `?q=${encodeURIComponent(text)}` : "");
}

async function show() {
  request?.abort();
  request = new AbortController();
  const wanted = address();
  let answer;
  let text;
  try {
    answer = await fetch(wanted, { signal: request.signal });
    text = await answer.text();
  } catch {
    // Something else was typed, or there is no connection: the button says so.
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const found = parts.map((part) => page.getElementById(part.id));
  // Without a session there is another page; the button leads to it.
  if (found.includes(null) || wanted !== address()) return;
  for (const [index, part] of parts.entries()) {
    part.replaceChildren(...found[index].childNodes);
    localise(part);
  }
  document.title = page.title;
  history.replaceState(null, "", wanted);
}

box.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(show, PAUSE_MS);
});
