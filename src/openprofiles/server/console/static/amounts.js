// Formats sizes, shares and times in the reader's language.

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
const percentText = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });

export function bytes(count) {
  let index = 0;
  let value = count;
  while (value >= 1000 && index < UNITS.length - 1) {
    value /= 1000;
    index += 1;
  }
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: UNITS[index],
    unitDisplay: index === 0 ? "long" : "short",
    maximumFractionDigits: index > 1 ? 1 : 0,
  }).format(value);
}

export function percent(share) {
  return percentText.format(share);
}

export function duration(seconds) {
  const [unit, value] = seconds < 90 ? ["second", seconds] : ["minute", seconds / 60];
  return new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(
    Math.max(1, Math.round(value)),
  );
}
