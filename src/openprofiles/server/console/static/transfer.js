// Uploads a file from the disk to the upload URL; the browser reads it piece by piece, so that its size does not matter.

import { Refused } from "./ask.js";

export function startTransfer(file, url, headers, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    let sent = 0;
    request.upload.addEventListener("progress", (event) => {
      sent = event.loaded;
      onProgress(event.loaded);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        resolve();
      } else {
        reject(new Refused(messageIn(request), request.status));
      }
    });
    request.addEventListener("error", () => {
      const error = new Refused("The connection was lost.", 0);
      error.sent = sent;
      reject(error);
    });
    request.addEventListener("abort", () => {
      const error = new Refused("Upload cancelled.", 0);
      error.isStopped = true;
      reject(error);
    });
  });
  request.open("PUT", url);
  for (const [name, value] of Object.entries(headers)) {
    request.setRequestHeader(name, value);
  }
  // Not the file's own type: nothing depends on it.
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
  return { done, stop: () => request.abort() };
}

function messageIn(request) {
  const answer = new DOMParser().parseFromString(request.responseText, "application/xml");
  const message = answer.querySelector("Error > Message")?.textContent;
  return message ? `The server did not accept the file: ${message}` : `The server did not accept the file (status ${request.status}).`;
}
