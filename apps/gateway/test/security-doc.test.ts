import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../../", import.meta.url);
const sections = readFileSync(new URL("docs/security.md", root), "utf8").split(/^## /m).slice(1);

describe("docs/security.md", () => {
  it("has a paragraph for each of OWASP's ten", () => {
    expect(sections.map((section) => /^API(\d+):/.exec(section)?.[1])).toEqual("1 2 3 4 5 6 7 8 9 10".split(" "));
  });

  it.each(sections.map((section) => [section.split("\n", 1)[0], section] as const))(
    "names tests that are there: %s",
    (_, section) => {
      const tests = [...section.matchAll(/^- `([^`]+)`:\s+"([^"]+)"$/gm)];
      expect(tests.length).toBeGreaterThan(0);
      for (const [, file = "", title = ""] of tests)
        expect(readFileSync(new URL(file, root), "utf8")).toContain(title.replace(/\s+/g, " "));
    },
  );
});
