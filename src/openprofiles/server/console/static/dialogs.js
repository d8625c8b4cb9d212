// Buttons that open and close a dialog: data-opens and data-closes hold its id.

for (const button of document.querySelectorAll("[data-opens]")) {
  button.setAttribute("aria-haspopup", "dialog");
  button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
}
for (const button of document.querySelectorAll("[data-closes]")) {
  // The browser gives the focus back to the button that opened it.
  button.addEventListener("click", () => document.getElementById(button.dataset.closes).close());
}
