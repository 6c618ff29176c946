import { describe, expect, it } from "vitest";
import { failureOf } from "../src/transport/failure.ts";

describe("why a mail was not taken", () => {
  it("is kept in a thousand characters, however much the mail server says", () => {
    const response = `550-${"no ".repeat(100_000)}`;
    const kept = failureOf(Object.assign(new Error("refused"), { response }));
    expect([kept.length, response.startsWith(kept)]).toEqual([1_000, true]);
  });
});
