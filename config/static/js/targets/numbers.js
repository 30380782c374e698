// Numbers as people type them and as the page shows them. Values stay exact decimal text; only sums are floats.
const SUFFIXES = { "": 0, 円: 0, 千円: 3, 千: 3, 万円: 4, 万: 4, 百万円: 6, 百万: 6, 億円: 8, 億: 8, k: 3, m: 6, JPY: 0, USD: 0, 件: 0, 日: 0, 人: 0 };
const SCALES = { one: 0, thousand: 3, million: 6 };
const TYPED = /^(\()?([-−△▲+])?[¥\\$€]?((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(\))?(.*)$/;

export class TypedError extends Error {}

// "12.5" moved by 3 is "12500": exact, whatever floats would make of it.
export function shift(text, places) {
  const negative = text.startsWith("-");
  const [whole, part = ""] = text.replace("-", "").split(".");
  const digits = (whole + part).padStart(Math.max(whole.length + part.length, 1 - places + part.length), "0");
  let point = digits.length - part.length + places;
  const padded = digits.padEnd(point, "0").padStart(digits.length + Math.max(0, 1 - point), "0");
  point = Math.max(point, 1);
  const left = padded.slice(0, point).replace(/^0+(?=\d)/, "");
  const right = padded.slice(point).replace(/0+$/, "");
  const result = right ? `${left}.${right}` : left;
  return negative && /[1-9]/.test(result) ? `-${result}` : result;
}

// The exact value of what was typed; "" for a blank. The words name the fault.
export function readNumber(text, unit, scale, words) {
  const plain = text.normalize("NFKC").replace(/\s/g, "");
  if (!plain) return "";
  const found = TYPED.exec(plain);
  const fault = (template) => new TypedError(template.replace("%(text)s", text));
  if (!found || Boolean(found[1]) !== Boolean(found[4])) throw fault(words.notANumber);
  const digits = found[3].replaceAll(",", "").replace(/^\./, "0.");
  const value = (found[1] || "-−△▲".includes(found[2] || "+") ? "-" : "") + digits;
  const suffix = found[5];
  if (suffix === "%") {
    if (!["percent", "ratio"].includes(unit)) throw fault(words.notARate);
    return shift(value, -2);
  }
  if (!(suffix in SUFFIXES)) throw fault(words.notANumber);
  if (unit === "percent") {
    // The column is in percent: 25 is 25 %. Up to 1 it could be a fraction as well, so the sign has to be there.
    if (suffix || (Math.abs(Number(value)) <= 1 && Number(value) !== 0)) throw fault(words.percentOrFraction);
    return shift(value, -2);
  }
  if (suffix) return shift(value, SUFFIXES[suffix]);
  return shift(value, unit === "amount" ? SCALES[scale] : 0);
}

function places(number, unit, scale, currency) {
  if (unit === "amount") {
    if (currency === "JPY") return scale === "million" ? 1 : 0;
    if (scale === "one") return Math.abs(number) >= 1000 || Number.isInteger(number) ? 0 : 2;
    return scale === "thousand" ? 1 : 2;
  }
  if (unit === "count") return Number.isInteger(Math.round(number * 100) / 100) ? 0 : Number.isInteger(Math.round(number * 100) / 10) ? 1 : 2;
  return unit === "ratio" ? 2 : 1;
}

// As kpis.engine.formats writes it: grouped, △ for negatives in Japanese.
export function writeNumber(value, unit, scale, currency) {
  if (value === "" || value === null || Number.isNaN(Number(value))) return "";
  let number = Number(value);
  if (unit === "percent") number *= 100;
  if (unit === "amount") number /= 10 ** SCALES[scale];
  const digits = places(number, unit, scale, currency);
  const text = Math.abs(number).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  if (number >= 0 || !/[1-9]/.test(text)) return text;
  return (document.documentElement.lang.startsWith("ja") ? "△" : "−") + text;
}

// What stands in the field while one edits: everything there is, in the unit of the page.
export function editText(value, unit, scale) {
  if (value === "") return "";
  if (unit === "percent") return `${shift(value, 2)}%`;
  return unit === "amount" ? shift(value, -SCALES[scale]) : value;
}
