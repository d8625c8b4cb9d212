// Before a form is sent, asks whether it can be: the browser would leave the page for the answer, and what was typed
// with it. Without this script a form is sent at once.

import { Refused, readSession, tell } from "./ask.js";

const asked = new WeakSet();
const passed = new WeakSet();

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || passed.has(form) || !holdsTypedText(form)) {
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
  tell(fault, null);
  try {
    // Puts the token of the session into the form too.
    const session = await readSession();
    if (sizeOf(form) > session.MaxFormBytes) {
      throw new Refused("This is too much text for one form. Shorten it,", 413);
    }
  } catch (error) {
    tell(fault, new Refused(`${wordsFor(error)} ${again(button)} Nothing that you typed is lost.`, error.status));
    fault.scrollIntoView({ block: "nearest" });
    return;
  } finally {
    asked.delete(form);
    button?.removeAttribute("aria-busy");
  }
  passed.add(form);
  form.requestSubmit(event.submitter);
  passed.delete(form);
});

function holdsTypedText(form) {
  return form.querySelector("input:not([type=hidden]), textarea, select") !== null;
}

function wordsFor(error) {
  switch (error.status) {
    case 0:
      return "The server does not answer. Check your connection,";
    case 401:
      return "Your session has ended. Sign in again in another tab,";
    case 413:
      return error.message;
    default:
      return `${error.message} Wait a little,`;
  }
}

function again(button) {
  return button ? `then press “${button.textContent.trim()}” again.` : "then try again.";
}

function sizeOf(form) {
  return new URLSearchParams(new FormData(form)).toString().length;
}

// The place for messages, right above the button.
function faultOf(form, button) {
  let fault = form.querySelector("[data-form-fault]");
  if (!fault) {
    fault = document.createElement("p");
    fault.className = "fault";
    fault.dataset.formFault = "";
    fault.setAttribute("role", "alert");
    fault.hidden = true;
    const line = button && button.parentElement !== form && form.contains(button) ? button.parentElement : button;
    if (line) {
      line.before(fault);
    } else {
      form.append(fault);
    }
  }
  return fault;
}
