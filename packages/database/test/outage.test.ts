import { describe, expect, it } from "vitest";
import { DatabaseUnreachable, DeadlinePassed, isOutage, KeyInUse, KeyReused, QueueFull } from "../src/index.ts";

const coded = (code: string) => Object.assign(new Error("failed"), { code });

describe("isOutage", () => {
  it.each([
    "CONNECTION_CLOSED",
    "CONNECT_TIMEOUT",
    "ECONNREFUSED",
    "ENOTFOUND",
    "57P01",
    "57014",
    "08006",
    "53300",
    "40P01",
    "55P03",
  ])("knows %s as something that is down", (code) => {
    expect(isOutage(coded(code))).toBe(true);
    expect(isOutage(new Error("query failed", { cause: coded(code) }))).toBe(true);
    expect(isOutage(new AggregateError([new Error("other"), coded(code)]))).toBe(true);
  });

  it.each(["23505", "22P02", "42P01", "42501", "28P01", ""])("knows %j as a fault that stays", (code) => {
    expect(isOutage(coded(code))).toBe(false);
  });

  it("knows our own errors", () => {
    expect([new DatabaseUnreachable("x"), new QueueFull(1), new DeadlinePassed()].map(isOutage)).toEqual([
      true,
      true,
      true,
    ]);
    expect([new KeyReused(), new KeyInUse(), new Error("x"), undefined, "57P01"].map(isOutage)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it("ends on an error that causes itself", () => {
    const error = new Error("circle");
    error.cause = error;
    expect(isOutage(error)).toBe(false);
  });
});
