// Asks the console's own paths, as JSON. Says in plain words what went wrong.

const tokenElement = document.querySelector('meta[name="csrf-token"]');
const SILENT = "The server does not answer. Check your connection, then try again.";
const SESSION_PATIENCE_MS = 10000;
let token = tokenElement ? tokenElement.content : "";
const keyElement = document.querySelector('meta[name="access-key-id"]');
let accessKeyId = keyElement ? keyElement.content : "";

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    // 0: there was no answer at all.
    this.status = status;
  }
}

// Somebody has signed in with another access key since the page was loaded.
export class OtherKey extends Refused {
  constructor(name) {
    super(`You are now signed in as ${name}, another access key than this page was opened with.`, 403);
  }
}

export async function ask(path, { method = "POST", body = null, patienceMs = null } = {}) {
  let answer = await send(path, method, body, patienceMs);
  // Whoever has signed in again in another tab has another token.
  if (answer.status === 403 && method !== "GET" && (await hasNewToken())) {
    answer = await send(path, method, body, patienceMs);
  }
  let document = {};
  try {
    document = await answer.json();
  } catch {
    // What stands before the server, such as a proxy, answers in its own form.
  }
  if (!answer.ok) {
    throw new Refused(document.message || `The server answered ${answer.status}.`, answer.status);
  }
  return document;
}

// What the session of this browser is now. Its token is used from now on, also by the forms of this page.
// That it is the session of another key is thrown once: whoever goes on after that does so with that key.
export async function readSession() {
  const session = await ask("/console/session", { method: "GET", patienceMs: SESSION_PATIENCE_MS });
  if (!session.CsrfToken) {
    // Something else has answered, such as the sign-in page of a network.
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
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRF-Token"] = token;
    headers["Content-Type"] = body instanceof ArrayBuffer ? "application/octet-stream" : "application/json";
  }
  const content = body === null || body instanceof ArrayBuffer ? body : JSON.stringify(body);
  try {
    const signal = patienceMs === null ? null : AbortSignal.timeout(patienceMs);
    return await fetch(path, { method, headers, body: content, redirect: "error", signal });
  } catch {
    throw new Refused(SILENT, 0);
  }
}

async function hasNewToken() {
  const old = token;
  try {
    await readSession();
  } catch (error) {
    if (error instanceof OtherKey) {
      throw new Refused(`${error.message} Try again to go on with that key.`, error.status);
    }
    return false;
  }
  return token !== old;
}

// Shows an error where it belongs; null takes it away.
export function tell(element, error) {
  element.hidden = error === null;
  element.textContent = error === null ? "" : typeof error === "string" ? error : error.message;
  if (error !== null && error.status === 401) {
    const link = document.createElement("a");
    link.href = "/console/sign-in";
    link.target = "_blank";
    link.textContent = "Sign in";
    element.append(" ", link);
  }
}
