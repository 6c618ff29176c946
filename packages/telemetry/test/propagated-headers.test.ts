import { describe, expect, it } from "vitest";
import { allowedBaggage, boundedTracestate } from "../src/index.ts";

describe("boundedTracestate", () => {
  it("passes well-formed members on as they are", () => {
    expect(boundedTracestate("congo=t61rcWkgMzE, rojo@x=00f067")).toBe("congo=t61rcWkgMzE,rojo@x=00f067");
  });

  it("drops what is malformed or too long, and keeps the rest", () => {
    expect(boundedTracestate(`UPPER=1,a=1,=2,b=${"x".repeat(200)},c=3`)).toBe("a=1,c=3");
  });

  it("keeps the newest members within 512 characters and 32 members", () => {
    const many = Array.from({ length: 200 }, (_, n) => `vendor${n}=${"v".repeat(60)}`).join(",");
    const kept = boundedTracestate(many) ?? "";
    expect(kept.length).toBeLessThanOrEqual(512);
    expect(kept.startsWith("vendor0=")).toBe(true);
  });

  it("is nothing where nothing is left", () => {
    expect(boundedTracestate("nonsense")).toBeUndefined();
  });
});

describe("allowedBaggage", () => {
  it("drops everything unless its name is listed", () => {
    const given = "userId=ada@example.com,campaign=spring;ttl=1,secret=x";
    expect(allowedBaggage(given, new Set())).toBeUndefined();
    expect(allowedBaggage(given, new Set(["campaign"]))).toBe("campaign=spring");
  });

  it("bounds what is listed", () => {
    const given = Array.from({ length: 100 }, () => `campaign=${"x".repeat(100)}`).join(",");
    expect(allowedBaggage(given, new Set(["campaign"]))?.length).toBeLessThanOrEqual(512);
  });
});
