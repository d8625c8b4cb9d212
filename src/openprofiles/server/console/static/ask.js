// Sends JSON requests to operations and to the console's own paths, and turns failures into plain words.
// For an operation, the session and its token stand in for a signature.

import { find, make } from "./elements.js";

const metaContent = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
const SILENT = "Can't reach the server. Check your connection, then try again.";
const SESSION_PATH = "/console/session";
const SESSION_PATIENCE_MS = 10000;
// How an operation refuses a session that has expired; the console's own paths answer with the status 401.
const EXPIRED = "MissingAuthenticationTokenException";
let token = metaContent("csrf-token");
let accessKeyId = metaContent("access-key-id");

export class Refused extends Error {
  constructor(message, status, answer = {}) {
    super(message);
    // 0: there was no response at all.
    this.status = status;
    this.answer = answer;
    // The member of the request that is at fault, if the server says.
    this.member = null;
  }
}

// Another access key has signed in since the page was loaded.
export class OtherKey extends Refused {
  constructor(name) {
    super(`You are now signed in as ${name}, a different access key from the one this page was opened with.`, 403);
  }
}

export async function ask(path, options = {}) {
  return (await askForAnswer(path, options)).json();
}

// As ask, but returns the whole answer.
export async function askForAnswer(path, { method = "POST", body = null, patienceMs = null } = {}) {
  let answer = await send(path, method, body, patienceMs);
  // After signing in again in another tab, the token is a new one.
  if (answer.status === 403 && path !== SESSION_PATH && (await hasNewToken())) {
    answer = await send(path, method, body, patienceMs);
  }
  if (!answer.ok) {
    throw await refusalIn(answer);
  }
  return answer;
}

async function refusalIn(answer) {
  let document = {};
  try {
    document = await answer.json();
  } catch {
    // The response is not from this server but, for example, from a proxy.
  }
  const status = answer.headers.get("x-amzn-errortype") === EXPIRED ? 401 : answer.status;
  const refused = new Refused(document.Message || document.message || `The server returned status ${answer.status}.`, status, document);
  refused.member = answer.headers.get("x-openprofiles-member");
  return refused;
}

// Reads the browser's current session. Its token is used from now on, also by the forms of this page.
// Throws OtherKey once if it is the session of another key: to try again means to continue with that key.
export async function readSession() {
  const session = await ask(SESSION_PATH, { method: "GET", patienceMs: SESSION_PATIENCE_MS });
  if (!session.CsrfToken) {
    // Something other than this server has responded, such as the sign-in page of a network.
    throw new Refused(SILENT, 0);
  }
  token = session.CsrfToken;
  for (const field of document.querySelectorAll('input[name="csrf_token"]')) {
    field.value = token;
  }
  if (session.AccessKeyId !== accessKeyId) {
    accessKeyId = session.AccessKeyId;
    throw new OtherKey(session.Name);
  }
  return session;
}

async function send(path, method, body, patienceMs) {
  const headers = { Accept: "application/json", "X-CSRF-Token": token };
  if (body !== null) {
    headers["Content-Type"] = isBinary(body) ? "application/octet-stream" : "application/json";
  }
  const content = body === null || isBinary(body) ? body : JSON.stringify(body);
  try {
    const signal = patienceMs === null ? null : AbortSignal.timeout(patienceMs);
    return await fetch(path, { method, headers, body: content, redirect: "error", signal });
  } catch {
    throw new Refused(SILENT, 0);
  }
}

function isBinary(body) {
  return body instanceof ArrayBuffer || body instanceof Blob;
}

async function hasNewToken() {
  const old = token;
  try {
    await readSession();
  } catch (error) {
    if (error instanceof OtherKey) {
      throw new Refused(`${error.message} Try again to continue with that key.`, error.status);
    }
    return false;
  }
  return token !== old;
}

// Shows an error in an element; null clears it.
export function showMessage(element, error) {
  element.hidden = error === null;
  element.textContent = error === null ? "" : typeof error === "string" ? error : error.message;
  if (error?.status === 401) {
    element.append(" ", make("a", { href: "/console/sign-in", target: "_blank" }, "Sign in"));
  }
}

// Shows an error below a field, and marks the field; null clears it.
export function mark(field, fault) {
  showMessage(find(`${field.id}-fault`), fault);
  if (fault === null) {
    field.removeAttribute("aria-invalid");
  } else {
    field.setAttribute("aria-invalid", "true");
    field.closest("details")?.setAttribute("open", "");
  }
}
