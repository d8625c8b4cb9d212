// Formats numbers and times in the reader's language. Without this script they keep the server's format.

import { bytes } from "./amounts.js";

export const numberText = new Intl.NumberFormat();
const momentText = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const dayText = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const percentText = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const wholePercentText = new Intl.NumberFormat(undefined, { style: "percent" });

const decimalTexts = [0, 1, 2].map(
  (digits) => new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

// Formats a share of 1 as a percentage; never rounds to 0 % or 100 %.
export function shareText(share) {
  if (share === 0 || share === 1) return wholePercentText.format(share);
  if (share < 0.001) return `< ${percentText.format(0.001)}`;
  if (share > 0.999 && share < 1) return `> ${percentText.format(0.999)}`;
  return percentText.format(share);
}

function secondsText(seconds) {
  if (seconds < 60) return `${decimalTexts[seconds < 10 ? 2 : 1].format(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${numberText.format(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

// Formats a sentence with numbers and days in braces, such as "{1234} rows since {2026-01-31}".
export function sentenceText(sentence) {
  return sentence
    .replace(/\{([0-9]{4}-[0-9]{2}-[0-9]{2})\}/g, (_, day) => dayText.format(new Date(day)))
    .replace(/\{(-?[0-9]+(?:\.[0-9]+)?)\}/g, (_, number) => numberText.format(Number(number)));
}

// Shows countries by name; options of a list in the order of their names.
function nameRegions(root) {
  const names = new Intl.DisplayNames(undefined, { type: "region" });
  for (const element of root.querySelectorAll("span[data-region]")) {
    element.textContent = names.of(element.dataset.region);
  }
  const options = root.querySelectorAll("option[data-region]");
  for (const option of options) {
    option.textContent = `${names.of(option.value)} (${option.value})`;
  }
  const { compare } = new Intl.Collator();
  const inOrder = [...options].sort((one, other) => compare(one.textContent, other.textContent));
  for (const option of inOrder) {
    option.parentElement.append(option);
  }
}

function momentTextOf(element) {
  const moment = new Date(element.dateTime);
  element.title = moment.toISOString();
  return momentText.format(moment);
}

// The texts of elements, by what selects them.
const TEXTS = {
  "data.number": (element) => decimalTexts[element.dataset.digits].format(Number(element.value)),
  "data.share": (element) => shareText(Number(element.value)),
  "data.bytes": (element) => bytes(Number(element.value)),
  "data.seconds": (element) => secondsText(Number(element.value)),
  "[data-sentence]": (element) => sentenceText(element.dataset.sentence),
  "time.moment": momentTextOf,
  "time.day": (element) => dayText.format(new Date(element.dateTime)),
};

export function localise(root) {
  for (const [selector, textOf] of Object.entries(TEXTS)) {
    for (const element of root.querySelectorAll(selector)) {
      element.textContent = textOf(element);
    }
  }
  nameRegions(root);
}

localise(document);
