import { describe, expect, it } from "vitest";
import { readOptions } from "../options.ts";

const known = ["grpc", "gateway"];

describe("the command line", () => {
  it("names rows, and asks for what it says", () => {
    expect(readOptions(["gateway", "--quick", "--before", "../old", "--pairs", "4"], known)).toEqual({
      names: ["gateway"],
      isQuick: true,
      writes: false,
      before: "../old",
      pairs: 4,
      isHelp: false,
    });
  });

  it.each([
    [["orders"], "Rows: grpc, gateway"],
    [["--pairs", "0"], "--pairs"],
    [["--pairs", "many"], "--pairs"],
    [["--fast"], "--fast"],
    [["--quick", "--write"], "--quick"],
  ])("%j is refused by name", (args, message) => {
    expect(() => readOptions(args, known)).toThrow(message);
  });
});
