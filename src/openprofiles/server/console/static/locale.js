// Numbers and times as the reader writes them. Without this script they stand there in the server's form.

export const numberText = new Intl.NumberFormat();
const momentText = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const dayText = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export function localise(root) {
  for (const element of root.querySelectorAll("data.number")) {
    element.textContent = numberText.format(Number(element.value));
  }
  for (const element of root.querySelectorAll("time.moment")) {
    const moment = new Date(element.dateTime);
    element.title = moment.toISOString();
    element.textContent = momentText.format(moment);
  }
  for (const element of root.querySelectorAll("time.day")) {
    element.textContent = dayText.format(new Date(element.dateTime));
  }
}

localise(document);
