import { describe, expect, it } from "vitest";
import { boundedTrailers } from "../src/wire/grpc-error.ts";

const status = (o: Record<string, string> = {}) => new Headers({ "grpc-status": "3", "grpc-message": "No.", ...o });

describe("how a gRPC call ended", () => {
  it("goes out as it is where every client can take it", () => {
    const trailer = status({ "grpc-status-details-bin": "A".repeat(4_000), "x-own": "1" });
    expect(boundedTrailers(trailer)).toBe(trailer);
  });

  it("loses its details first, then all but its status, and keeps whole what is left", () => {
    const details = status({ "grpc-status-details-bin": "A".repeat(70_000), "x-own": "1" });
    expect(Object.fromEntries(boundedTrailers(details))).toEqual({
      "grpc-status": "3",
      "grpc-message": "No.",
      "x-own": "1",
    });
    const own = status({ "x-own": "A".repeat(70_000) });
    expect(Object.fromEntries(boundedTrailers(own))).toEqual({ "grpc-status": "3", "grpc-message": "No." });
    const long = boundedTrailers(status({ "grpc-message": `a${"%C3%A4".repeat(5_000)}` })).get("grpc-message") ?? "";
    expect(long.length).toBeLessThanOrEqual(1_024);
    expect(long).toMatch(/%[0-9A-F]{2}$/);
  });
});
