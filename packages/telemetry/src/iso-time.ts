const msPerSecond = 1_000;

/**
 * Returns a function that writes the time of a line, as pino's `isoTime` does. The lines of one second share the text
 * of its date, which takes longer to write than the rest of the time.
 */
export function isoTime(): () => string {
  let lastSecond = Number.NaN;
  let text = "";
  return () => {
    const now = Date.now();
    const second = Math.floor(now / msPerSecond);
    if (second !== lastSecond) {
      lastSecond = second;
      text = new Date(second * msPerSecond).toISOString().slice(0, -"000Z".length);
    }
    return `,"time":"${text}${String(now - second * msPerSecond).padStart(3, "0")}Z"`;
  };
}
