// Runs in the browser. Times are milliseconds since 1970, with fractions; durations are milliseconds.

const [secondMs, minuteMs, hourMs, dayMs] = [1_000, 60_000, 3_600_000, 86_400_000];

/**
 * A duration in three digits, with its unit: "0.42 ms", "12.3 ms", "2.35 s", "3 min 5 s".
 *
 * @param {number} ms
 */
export function durationText(ms) {
  if (ms === 0) return "0 ms";
  if (ms < secondMs - 0.5) return `${digits(ms)} ms`;
  if (ms < minuteMs - 5) return `${digits(ms / secondMs)} s`;
  if (ms < hourMs) return twoUnits(ms, minuteMs, "min", secondMs, "s");
  if (ms < dayMs) return twoUnits(ms, hourMs, "h", minuteMs, "min");
  return twoUnits(ms, dayMs, "d", hourMs, "h");
}

/**
 * How long after another moment: "+12.3 ms". What clocks of two machines put before it has a minus.
 *
 * @param {number} ms
 */
export function offsetText(ms) {
  return `${ms < 0 ? "−" : "+"}${durationText(Math.abs(ms))}`;
}

/**
 * The time of day where the reader is, with the date where it is not today's: "14:03:07.042".
 *
 * @param {number} time
 * @param {number} now
 */
export function timeText(time, now) {
  const date = new Date(time);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const today = new Date(now).toDateString() === date.toDateString();
  return `${today ? "" : `${day} `}${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/**
 * A google.protobuf.Timestamp in JSON. Its fractions are kept to about a quarter of a microsecond.
 *
 * @param {unknown} text
 */
export function readTime(text) {
  const [, whole = "", fraction = ""] = /^(.{19})(\.\d+)?Z$/.exec(String(text)) ?? [];
  const ms = Date.parse(`${whole}Z`);
  return Number.isNaN(ms) ? 0 : ms + Number(`0${fraction}`) * secondMs;
}

/**
 * A google.protobuf.Duration in JSON, "0.000250s".
 *
 * @param {unknown} text
 */
export function readDuration(text) {
  const seconds = Number.parseFloat(String(text));
  return Number.isFinite(seconds) ? seconds * secondMs : 0;
}

/** @param {number} value */
function digits(value) {
  if (value >= 99.95) return String(Math.round(value));
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/**
 * @param {number} ms
 * @param {number} largeMs
 * @param {string} large
 * @param {number} smallMs
 * @param {string} small
 */
function twoUnits(ms, largeMs, large, smallMs, small) {
  const smalls = Math.floor(ms / smallMs);
  const perLarge = largeMs / smallMs;
  return `${Math.floor(smalls / perLarge)} ${large} ${smalls % perLarge} ${small}`;
}
