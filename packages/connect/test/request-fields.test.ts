import { describe, expect, it } from "vitest";
import { addCallerFields } from "../src/client/request-fields.ts";

describe("the headers of a caller", () => {
  it.each([
    { kind: "an object", given: { Constructor: "a", "x-text": " b " } },
    { kind: "web headers", given: new Headers({ constructor: "a", "x-text": "b" }) },
    {
      kind: "a list",
      given: [
        ["constructor", "a"],
        ["x-text", "b"],
      ] satisfies [string, string][],
    },
  ])("pass, given as $kind, whatever their names", ({ given }) => {
    expect({ ...addCallerFields({}, given) }).toEqual({ constructor: "a", "x-text": "b" });
  });

  it("give way to those of the protocol", () => {
    expect(addCallerFields({ te: "trailers" }, { TE: "gzip", accept: "all" })).toEqual({
      te: "trailers",
      accept: "all",
    });
  });

  it("are joined where one is given twice", () => {
    expect({ ...addCallerFields({}, { "x-a": "1", "X-A": "2" }) }).toEqual({ "x-a": "1, 2" });
  });

  it.each([{ "x a": "1" }, { "x-a": "1\r\nx-b: 2" }, { "x-a": "\u20ac" }])(
    "are refused where HTTP does not allow them: %j",
    (given) => {
      expect(() => addCallerFields({}, given)).toThrow(TypeError);
    },
  );
});
