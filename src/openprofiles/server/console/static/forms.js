// Before a form is sent, checks that the server would accept it: sending it makes the browser leave the page, and what
// was typed would be lost with it. The form then has the token of the current session. Without this script a form is sent
// at once.

import { OtherKey, Refused, readSession, showMessage } from "./ask.js";
import { make } from "./elements.js";

const asked = new WeakSet();
const passed = new WeakSet();

document.addEventListener("submit", async (event) => {
  const form = event.target;
  // A form that opens a dialog first is not sent itself.
  if (event.defaultPrevented || form.method !== "post" || form.dataset.asks || passed.has(form)) {
    return;
  }
  event.preventDefault();
  if (asked.has(form)) {
    return;
  }
  const button = event.submitter ?? form.querySelector("button:not([type=button])");
  const fault = faultOf(form, button);
  asked.add(form);
  button?.setAttribute("aria-busy", "true");
  showMessage(fault, null);
  try {
    await requireSendable(form);
  } catch (error) {
    showMessage(fault, new Refused(`${wordsFor(error, button)} ${isTypedInto(form) ? "Nothing you entered is lost." : "Nothing has been changed."}`, error.status));
    fault.scrollIntoView({ block: "nearest" });
    return;
  } finally {
    asked.delete(form);
    button?.removeAttribute("aria-busy");
  }
  send(form, event.submitter);
});

async function requireSendable(form) {
  let session;
  try {
    // Also puts the token of the session into the form.
    session = await readSession();
  } catch (error) {
    // Signing out needs neither the same key nor a session.
    if ("leaves" in form.dataset && (error.status === 401 || error instanceof OtherKey)) {
      return;
    }
    throw error;
  }
  const fields = new URLSearchParams(new FormData(form));
  if (fields.toString().length > session.MaxFormBytes || fields.size > session.MaxFormFields) {
    throw new Refused("This is too much text for one form. Shorten it,", 413);
  }
}

function send(form, submitter) {
  if (form.isConnected) {
    passed.add(form);
    form.requestSubmit(submitter);
    passed.delete(form);
    return;
  }
  // The page was replaced in the meantime, and may still have such a form.
  const made = [...document.forms].find((one) => one.action === form.action && !one.dataset.asks);
  if (made) {
    send(made, null);
  }
}

function isTypedInto(form) {
  return form.querySelector("input:not([type=hidden]), textarea, select") !== null;
}

function wordsFor(error, button) {
  if (error instanceof OtherKey) {
    return `${error.message} ${press("Press", button)} again to continue with that key.`;
  }
  return `${causeOf(error)} then ${press("press", button)} again.`;
}

function causeOf(error) {
  switch (error.status) {
    case 0:
      return "Can't reach the server. Check your connection,";
    case 401:
      return "Your session expired. Sign in in another tab,";
    case 413:
      return error.message;
    default:
      return `${error.message} Wait a moment,`;
  }
}

function press(verb, button) {
  return button ? `${verb} “${button.textContent.trim()}”` : `${verb} Enter`;
}

// Returns the element for messages, right above the button and its neighbours; for a form in the header, above the page.
function faultOf(form, button) {
  const place = document.querySelector("main");
  const isInside = place.contains(form);
  let fault = (isInside ? form : place).querySelector(isInside ? "[data-form-fault]" : ":scope > [data-form-fault]");
  if (!fault) {
    fault = make("p", { class: "fault", "data-form-fault": true, role: "alert", hidden: true });
    if (!isInside) {
      place.prepend(fault);
    } else if (button && form.contains(button)) {
      const line = button.parentElement;
      (line === form ? firstButtonNextTo(button) : line).before(fault);
    } else {
      form.append(fault);
    }
  }
  return fault;
}

function firstButtonNextTo(button) {
  return [...button.parentElement.children].find((one) => one.matches("button"));
}
