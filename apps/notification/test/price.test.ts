import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createPriceFormat } from "../src/templates/price.ts";

const priceOf = createPriceFormat();

describe("the format of prices", () => {
  it.each([
    ["EUR", 1250n, "€12.50"],
    ["EUR", 5n, "€0.05"],
    ["USD", 123456789n, "$1,234,567.89"],
    ["JPY", 1250n, "¥1,250"],
    ["KWD", 1250n, "KWD 1.250"],
    ["HUF", 125000n, "HUF 1,250.00"],
    ["IDR", 125000n, "IDR 1,250.00"],
    ["ISK", 1250n, "ISK 1,250"],
    ["IQD", 1250n, "IQD 1.250"],
    ["CLF", 12500n, "CLF 1.2500"],
    ["EUR", 0n, "€0.00"],
    ["EUR", -1n, "-€0.01"],
    ["EUR", 9223372036854775807n, "€92,233,720,368,547,758.07"],
  ])("writes %s %s as people read it", (currencyCode, minorUnits, text) => {
    expect(priceOf({ currencyCode, minorUnits }).replaceAll("\u00a0", " ")).toBe(text);
  });

  it("is made once for each currency, however many prices are written", () => {
    const made = vi.spyOn(Intl, "NumberFormat");
    onTestFinished(() => made.mockRestore());
    const format = createPriceFormat();
    for (let n = 0n; n < 100n; n += 1n)
      for (const currencyCode of ["EUR", "JPY"]) format({ currencyCode, minorUnits: n });
    expect(made).toHaveBeenCalledTimes(2);
  });
});
