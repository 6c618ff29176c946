import { afterEach, describe, expect, it } from "vitest";
import type { GatewayOptions } from "../src/options.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem | undefined;
afterEach(() => system?.close());
async function startWith(gateway: Partial<GatewayOptions>): Promise<string> {
  system = await startStubSystem({}, { gateway });
  return system.url;
}

describe("a web page", () => {
  const page = { origin: "https://shop.example" };
  const preflight = { ...page, "access-control-request-method": "POST" };
  const ask = (url: string, headers: Record<string, string>, method = "GET") =>
    fetch(`${url}/api/products`, { method, headers });

  it("of another origin may not call if none is configured", async () => {
    const url = await startWith({});
    const answer = await ask(url, page);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect((await ask(url, preflight, "OPTIONS")).status).toBe(405);
  });

  it("of a configured origin may call, and of no other", async () => {
    const url = await startWith({ corsOrigins: ["https://shop.example"] });
    const preflighted = await ask(url, preflight, "OPTIONS");
    expect([preflighted.status, preflighted.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://shop.example",
    ]);
    expect(preflighted.headers.get("access-control-allow-credentials")).toBeNull();
    const answer = await ask(url, page);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(answer.headers.get("vary")).toMatch(/^origin\b/);
    const other = await ask(url, { origin: "https://shop.example.evil" });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    expect((await ask(url, { ...preflight, origin: "null" }, "OPTIONS")).status).toBe(405);
  });

  it("cannot frame, sniff or store a response, nor an error", async () => {
    const url = await startWith({});
    for (const path of ["/api/products", "/api/orders", "/nothing", "/health"]) {
      const { headers } = await fetch(url + path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(headers.get("cache-control")).toBe("no-store");
    }
    const docs = await fetch(`${url}/docs`);
    expect(docs.headers.get("content-security-policy")).not.toBe("default-src 'none'; frame-ancestors 'none'");
  });
});
