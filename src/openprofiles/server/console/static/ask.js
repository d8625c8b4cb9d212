// Asks the console's own paths, as JSON. Says in plain words what went wrong.

const tokenElement = document.querySelector('meta[name="csrf-token"]');
let token = tokenElement ? tokenElement.content : "";

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    // 0: there was no answer at all.
    this.status = status;
  }
}

export async function ask(path, { method = "POST", body = null } = {}) {
  let answer = await send(path, method, body);
  // Whoever has signed in again in another tab has another token.
  if (answer.status === 403 && method !== "GET" && (await hasNewToken())) {
    answer = await send(path, method, body);
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

async function send(path, method, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRF-Token"] = token;
    headers["Content-Type"] = body instanceof ArrayBuffer ? "application/octet-stream" : "application/json";
  }
  const content = body === null || body instanceof ArrayBuffer ? body : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: content, redirect: "error" });
  } catch {
    throw new Refused("The server does not answer. Check your connection, then try again.", 0);
  }
}

async function hasNewToken() {
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector('meta[name="csrf-token"]')?.content;
    if (!found || found === token) {
      return false;
    }
    token = found;
    // A form on this page, such as that for signing out, has it too.
    for (const field of document.querySelectorAll('input[name="csrf_token"]')) {
      field.value = found;
    }
    return true;
  } catch {
    return false;
  }
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
