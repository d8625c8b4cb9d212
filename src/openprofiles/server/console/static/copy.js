// Buttons that copy the text of another element: data-copies holds its id. Without this script they stay hidden.

const status = document.getElementById("copied");

for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.firstChild.textContent = "Copied";
      status.textContent = "Copied.";
    } catch {
      // Without HTTPS a browser may keep the clipboard from pages.
      getSelection().selectAllChildren(source);
      button.firstChild.textContent = "Press Ctrl+C";
      status.textContent = "The lines are selected. Press Ctrl+C to copy them.";
    }
    setTimeout(() => {
      button.firstChild.textContent = "Copy";
      status.textContent = "";
    }, 2000);
  });
}
