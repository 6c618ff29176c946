import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timeText } from "../src/rest/time-text.ts";

const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;

function expectAsDate(seconds: number, ms: number): void {
  expect(timeText(seconds, ms)).toBe(new Date(seconds * 1_000 + ms).toISOString().replace(".000Z", "Z"));
}

describe("the text of a time", () => {
  it("is that of a Date, without milliseconds where there are none, from the year 1 to 9999", () => {
    for (const seconds of [secondsMin, -1, 0, 1, secondsMax])
      for (const ms of [0, 1, 10, 999]) expectAsDate(seconds, ms);
    fc.assert(
      fc.property(fc.integer({ min: secondsMin, max: secondsMax }), fc.integer({ min: 0, max: 999 }), expectAsDate),
    );
  });

  it("has each day of four centuries", () => {
    const days = 146_097;
    for (let day = -days / 3; day < days; day += 1) {
      const seconds = Math.floor(day) * 86_400 + 43_200;
      if (timeText(seconds, 0) !== new Date(seconds * 1_000).toISOString().replace(".000Z", "Z"))
        expectAsDate(seconds, 0);
    }
  });
});
