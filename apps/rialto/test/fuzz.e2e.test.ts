import { describe, expect, it } from "vitest";
import { fuzz } from "./fuzz/fuzz.ts";

/** A tenth of `npm run fuzz`. RIALTO_TEST_SEED repeats a run. */
const requests = 2_000;
const seed = Number(process.env.RIALTO_TEST_SEED ?? Math.floor(Math.random() * 1_000_000));

describe("requests made up from the OpenAPI document", () => {
  it("meet no defect, no answer that the document does not know, and are answered where they are valid", async () => {
    const result = await fuzz({ requests, seed });
    if (result === undefined) return;
    const { operations: _each, reports, ...figures } = result;
    process.stdout.write(`fuzz: ${JSON.stringify(figures)}\n`);
    expect(reports.join("\n")).toBe("");
    expect(figures.serverErrors).toBe(0);
    expect(figures.requests).toBeGreaterThanOrEqual(requests);
    expect(figures.validAnswered2xx / figures.valid).toBeGreaterThan(0.5);
  }, 900_000);
});
