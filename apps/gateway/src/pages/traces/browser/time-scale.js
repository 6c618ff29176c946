// Runs in the browser.

/**
 * Where a moment stands between the left edge of a trace's timeline (0) and the right one (1).
 *
 * @typedef {object} TimeScale
 * @property {(time: number) => number} place
 * @property {readonly Pause[]} pauses
 *
 * A stretch in which nothing happened, which is drawn narrower than it was.
 * @typedef {object} Pause
 * @property {number} from Where it begins, 0 to 1.
 * @property {number} to
 * @property {number} ms How long it was.
 */

/** A stretch without work that is longer than this share of all work is drawn narrow. */
const pauseShareMin = 0.25;
const pauseMsMin = 1;
/** The width of one pause, and of all together. */
const [pauseWidthMax, pausesWidthMax] = [0.04, 0.3];
const pausesMax = 20;

/**
 * Makes the scale of a trace. A retry after a minute would leave no room for the milliseconds of work before and after
 * it: long stretches without any work are drawn narrow, and are marked.
 *
 * @param {readonly { start: number, end: number }[]} work
 * @returns {TimeScale}
 */
export function createTimeScale(work) {
  const busy = unionOf(work);
  const start = busy[0]?.start ?? 0;
  const end = busy.at(-1)?.end ?? start;
  const long = longPauses(busy);
  const pauseWidth = Math.min(pauseWidthMax, pausesWidthMax / long.length);
  const rest = end - start - long.reduce((sum, pause) => sum + pause.end - pause.start, 0);
  const perMs = rest > 0 ? (1 - long.length * pauseWidth) / rest : 0;

  /** @param {number} time */
  function place(time) {
    let [at, from] = [0, start];
    for (const pause of long) {
      if (time < pause.start) break;
      at += (pause.start - from) * perMs;
      from = pause.end;
      if (time < pause.end) return at + (pauseWidth * (time - pause.start)) / (pause.end - pause.start);
      at += pauseWidth;
    }
    return Math.min(1, Math.max(0, at + (time - from) * perMs));
  }

  return {
    place,
    pauses: long.map((pause) => ({ from: place(pause.start), to: place(pause.end), ms: pause.end - pause.start })),
  };
}

/**
 * @param {readonly { start: number, end: number }[]} intervals
 * @returns {{ start: number, end: number }[]} In order, none touching another.
 */
function unionOf(intervals) {
  /** @type {{ start: number, end: number }[]} */
  const union = [];
  for (const { start, end } of intervals.toSorted((a, b) => a.start - b.start)) {
    const last = union.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else union.push({ start, end });
  }
  return union;
}

/** @param {readonly { start: number, end: number }[]} busy */
function longPauses(busy) {
  const workMs = busy.reduce((sum, { start, end }) => sum + end - start, 0);
  const msMin = Math.max(pauseMsMin, workMs * pauseShareMin);
  return busy
    .slice(1)
    .map(({ start }, index) => ({ start: busy[index]?.end ?? start, end: start }))
    .filter(({ start, end }) => end - start > msMin)
    .sort((a, b) => b.end - b.start - (a.end - a.start))
    .slice(0, pausesMax)
    .sort((a, b) => a.start - b.start);
}
