import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createLineWriter, createLogger } from "../src/index.ts";

function capture(level?: string) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: createLogger({ service: "order", destination, ...(level && { level }) }), lines };
}

const texts = ["", "plain", 'with "quotes"', "a\\b", "line\nbreak", "\u0001", "\u007f", "ü €", "😀", "x".repeat(200)];

describe("a line of one form", () => {
  it("is the line that the logger itself writes, whatever its values are", () => {
    const { log, lines } = capture();
    const write = createLineWriter(log, { level: "info", message: 'a "request"', names: ["text", "number"] });
    for (const text of [...texts, undefined]) {
      for (const number of [0, -1.5, 1e21, Number.NaN, Number.POSITIVE_INFINITY, undefined]) {
        write([text, number]);
        log.info({ text, number }, 'a "request"');
        expect(lines.at(-2)).toBe(lines.at(-1));
      }
    }
    expect(lines.length).toBe(2 * 11 * 6);
  });

  it("has the bindings of a child", () => {
    const { log, lines } = capture("debug");
    const child = log.child({ subscription: "mail" });
    createLineWriter(child, { level: "debug", message: "done", names: ["n"] })([1]);
    child.debug({ n: 1 }, "done");
    expect(lines[0]).toContain('"subscription":"mail"');
    expect(lines[0]).toBe(lines[1]);
  });

  it("is written only where the level of the logger shows it, which may change", () => {
    const { log, lines } = capture("warn");
    const write = createLineWriter(log, { level: "info", message: "request", names: [] });
    write([]);
    expect(lines).toEqual([]);
    log.level = "info";
    write([]);
    expect(lines).toHaveLength(1);
  });

  it("cannot have a field whose values are secret", () => {
    const { log } = capture();
    const names = ["requestId", "authorization"] as const;
    expect(() => createLineWriter(log, { level: "info", message: "request", names })).toThrow("authorization");
  });
});
