import { ScalarType } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { integerIn, integerOf, integerRangeOf } from "../src/bounds/json-integer.ts";

describe("a whole number in JSON", () => {
  // As protobuf's conformance tests (JsonInput.Int32Field..., Int64Field...) and the mapping itself have it.
  it.each([
    ["0", 0n],
    ["-0", 0n],
    ["2147483647", 2147483647n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9007199254740993", 9007199254740993n],
    ["1e3", 1000n],
    ["1E+3", 1000n],
    ["1.5e1", 15n],
    ["100000.000", 100000n],
    ["1200e-2", 12n],
    ["0e999999", 0n],
    ["4.294967295e9", 4294967295n],
  ])("is read from %s", (text, value) => {
    expect(integerOf(text)).toBe(value);
  });

  it.each([
    "",
    " ",
    " 1",
    "1 ",
    "\n",
    "+1",
    "01",
    "-01",
    "0x10",
    "0b1",
    "0o7",
    "1_000",
    "1.",
    ".5",
    "1e",
    "e3",
    "1.5",
    "1e-1",
    "15e-2",
    "0.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "12abc",
    "3x3",
    "١",
    "1n",
    "--1",
    "1e9999999",
    "1e999",
    "9".repeat(900_000),
  ])("is not read from %j", (text) => {
    expect(integerOf(text)).toBeUndefined();
  });

  it.each([
    [ScalarType.INT32, "2147483648"],
    [ScalarType.INT32, "-2147483649"],
    [ScalarType.UINT32, "-1"],
    [ScalarType.UINT32, "4294967296"],
    [ScalarType.INT64, "9223372036854775808"],
    [ScalarType.UINT64, "18446744073709551616"],
  ])("of type %i does not go past what the type has: %s", (type, text) => {
    const range = integerRangeOf(type);
    if (range === undefined) throw new Error("no type of whole numbers");
    expect(integerIn(range, text)).toBeUndefined();
    expect(integerIn(range, "1")).toBe(1n);
  });

  it("is of no type that holds something else", () => {
    expect([ScalarType.DOUBLE, ScalarType.STRING, ScalarType.BOOL].map(integerRangeOf)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
