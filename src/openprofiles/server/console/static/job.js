// Keeps a page about an import up to date: numbers are changed in place, and when the import has reached another state,
// the page's content is fetched again. Without this script the browser reloads the page.

import { find, make } from "./elements.js";
import { localise, numberText, sentenceText, shareText } from "./locale.js";

const SECONDS_BETWEEN_ANNOUNCEMENTS = 10;
const RETRY_MS = 2000;
const PATIENCE_MS = 15000;
const FAILURES_BEFORE_TROUBLE = 3;

// The server responds, but not with what was asked for.
class Unwell extends Error {}

const announcer = find("announcer");
const trouble = find("trouble");
const title = document.title;

let timer = null;
let isLooking = false;
let failures = 0;
let announcedAt = performance.now();

const job = () => find("job");

function announce(text) {
  announcedAt = performance.now();
  announcer.textContent = text;
}

function showTrouble(text, link) {
  if (trouble.dataset.text === text) return;
  trouble.dataset.text = text;
  const anchor = link ? [" ", make("a", { href: link.href }, link.text)] : [];
  trouble.replaceChildren(...(text ? [make("p", { class: "fault" }, text, ...anchor)] : []));
}

function showProgress(root, progress) {
  const place = root.querySelector("#progress");
  if (!place) return;
  const bar = place.querySelector("[data-bar]");
  const doing = place.querySelector("[data-doing]");
  const amount = place.querySelector("[data-amount]");
  const text = sentenceText(progress.amount);
  doing.textContent = progress.doing;
  amount.textContent = text;
  if (progress.share === null) {
    bar.removeAttribute("value");
    document.title = title;
  } else {
    bar.value = progress.share;
    document.title = `${Math.floor(100 * progress.share)} % · ${title}`;
  }
  if (performance.now() - announcedAt > SECONDS_BETWEEN_ANNOUNCEMENTS * 1000) {
    announce(text ? `${progress.doing}: ${text}` : progress.doing);
  }
}

function showParts(root, state) {
  const named = root.querySelector("#picture-title");
  if (!named) return;
  named.textContent = sentenceText(state.description);
  for (const part of state.parts) {
    for (const rect of root.querySelectorAll(`[data-part="${part.name}"]`)) {
      rect.setAttribute("x", `${part.x}%`);
      rect.setAttribute("width", `${part.width}%`);
    }
    root.querySelector(`[data-count="${part.name}"]`).textContent = numberText.format(part.count);
    root.querySelector(`[data-share="${part.name}"]`).textContent = shareText(part.share);
  }
}

async function makeAnew() {
  const { page } = job().dataset;
  const answer = await fetch(page, { headers: { Accept: "text/html" } });
  if (answer.status >= 500 || answer.status === 429) throw new Unwell(answer.statusText);
  const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("job");
  if (!made) {
    location.assign(page);
    return;
  }
  const old = job();
  const hadFocus = old.contains(document.activeElement);
  localise(made);
  old.replaceWith(made);
  document.title = title;
  if (hadFocus) made.querySelector("h1").focus();
  announce(sentenceText(made.dataset.news));
}

// Fetches the counts that the page was shown without.
async function fillOutlook() {
  const place = find("outlook");
  const from = place?.dataset.comesFrom;
  if (!from) return;
  for (const count of place.querySelectorAll("[data-awaited]")) count.textContent = "checking…";
  let made = null;
  try {
    const answer = await fetch(from, { headers: { Accept: "text/html" } });
    made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("outlook");
  } catch {
    // Reported below.
  }
  if (!place.isConnected) return;
  if (!made) {
    for (const count of place.querySelectorAll("[data-awaited]")) count.textContent = "unknown";
    place.removeAttribute("aria-busy");
    showTrouble("Could not check how many profiles were edited or deleted since.", { href: from, text: "Check again" });
    return;
  }
  localise(made);
  place.replaceWith(made);
  const facts = [...made.querySelectorAll("dl > div")];
  announce(`${facts.map((fact) => [...fact.children].map((part) => part.textContent).join(": ")).join(". ")}.`);
}

function lookIn(milliseconds) {
  clearTimeout(timer);
  timer = document.hidden || milliseconds === null ? null : setTimeout(look, milliseconds);
}

const pauseOf = (root) => (root.dataset.every ? Number(root.dataset.every) : null);

async function look() {
  if (isLooking) return;
  isLooking = true;
  let next = RETRY_MS;
  try {
    const root = job();
    const answer = await fetch(root.dataset.state, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.status === 401) {
      showTrouble("Your session expired. The import is not affected.", {
        href: `/console/sign-in?next=${encodeURIComponent(root.dataset.page)}`,
        text: "Sign in again",
      });
    } else if (answer.status === 404 || answer.status === 403) {
      // The page itself says what has happened.
      location.assign(root.dataset.page);
      return;
    } else if (!answer.ok) {
      throw new Unwell(answer.statusText);
    } else {
      const state = await answer.json();
      failures = 0;
      showTrouble("");
      if (state.view !== root.dataset.view) {
        await makeAnew();
      } else {
        if (state.progress) showProgress(root, state.progress);
        showParts(root, state);
      }
      next = pauseOf(job());
    }
  } catch (error) {
    failures += 1;
    const what = error instanceof Unwell ? "The server can't report on this import right now" : "Can't reach the server";
    if (failures >= FAILURES_BEFORE_TROUBLE) showTrouble(`${what}. This page keeps trying.`);
  } finally {
    isLooking = false;
  }
  lookIn(next);
}

document.addEventListener("visibilitychange", () => {
  // A hidden page is not updated; it catches up when it is shown again.
  if (document.hidden) clearTimeout(timer);
  else if (job().dataset.every) look();
});

document.addEventListener("submit", (event) => {
  const asks = event.target.dataset.asks;
  if (!asks) return;
  event.preventDefault();
  find(asks).showModal();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
});

lookIn(pauseOf(job()));
fillOutlook();
