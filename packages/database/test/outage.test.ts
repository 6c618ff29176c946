import { describe, expect, it } from "vitest";
import { isLockedOut, isOutcomeUnknown, isPassing } from "../src/connection/outage.ts";
import {
  DatabaseUnreachable,
  DeadlinePassed,
  isOutage,
  KeyInUse,
  KeyReused,
  meaningOf,
  QueueFull,
} from "../src/index.ts";

const coded = (code: string) => Object.assign(new Error("failed"), { code });

// One line for each state of a server that the documentation of Postgres tells: what becomes of the work, the
// connection and the readiness.
const table = `
  08006             uncounted dropped     unknown not-ready
  57P01             uncounted dropped     unknown not-ready
  57P02             uncounted dropped     unknown not-ready
  57P03             uncounted dropped     unknown not-ready
  57P05             uncounted dropped     known   ready
  25006             uncounted all-dropped known   not-ready
  28P01             uncounted dropped     known   not-ready
  28000             uncounted dropped     known   not-ready
  CONNECTION_CLOSED uncounted dropped     unknown not-ready
  CONNECT_TIMEOUT   uncounted dropped     unknown not-ready
  ECONNREFUSED      uncounted dropped     unknown not-ready
  ECONNRESET        uncounted dropped     unknown not-ready
  ENOTFOUND         uncounted dropped     unknown not-ready
  53100             uncounted kept        known   ready
  53200             uncounted kept        known   ready
  53300             uncounted dropped     known   ready
  55P03             uncounted kept        known   ready
  40001             uncounted kept        known   ready
  40003             uncounted kept        unknown ready
  40P01             uncounted kept        known   ready
  25P03             uncounted dropped     known   ready
  57014             counted   kept        known   ready`
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/ +/));

describe("a failure that a server tells", () => {
  it.each(table)(
    "%s: tried again %s, connection %s, outcome %s, service %s",
    (code = "", again, connection, outcome, server) => {
      const said = meaningOf(code);
      expect(said).toEqual({
        again,
        connection: connection?.replace("-", " "),
        outcome,
        server: server?.replace("-", " "),
      });
      for (const error of [
        coded(code),
        new Error("query failed", { cause: coded(code) }),
        new AggregateError([new Error("other"), coded(code)]),
      ]) {
        expect(isOutage(error)).toBe(again === "uncounted");
        expect(isOutcomeUnknown(error)).toBe(outcome === "unknown");
        expect(isPassing(error)).toBe(true);
      }
    },
  );

  it("needs a person to act where the server refuses our password", () => {
    expect(["28P01", "28000", "57P01"].map((code) => isLockedOut(coded(code)))).toEqual([true, true, false]);
  });
});

describe("isOutage", () => {
  it.each(["23505", "22P02", "42P01", "42501", "25001", ""])("knows %j as a fault that stays", (code) => {
    expect(isOutage(coded(code))).toBe(false);
    expect(isPassing(coded(code))).toBe(false);
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
