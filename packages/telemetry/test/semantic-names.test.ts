import * as conventions from "@opentelemetry/semantic-conventions/incubating";
import { describe, expect, it } from "vitest";
import * as names from "../src/semantic-names.ts";

const published: ReadonlySet<unknown> = new Set(Object.values(conventions));

const ofConventions = {
  ...names.processNames,
  ...names.spanNames,
  ...names.httpNames,
  ...names.rpcNames,
  ...names.databaseNames,
  ...names.poolNames,
  ...names.messagingNames,
};

describe("the names of spans and attributes", () => {
  it.each(Object.values(ofConventions))("%s is one of the published conventions", (name) => {
    expect(published.has(name)).toBe(true);
  });

  it.each(Object.values(names.rialtoNames))(
    "%s is in the project's own namespace, as no convention covers it",
    (name) => {
      expect(name).toMatch(/^rialto\./);
      expect(published.has(name)).toBe(false);
    },
  );

  it.each([
    ...Object.values(names.rpcSystem),
    names.postgresSystem,
    names.connectionInUse,
    ...Object.values(names.messagingOperations),
  ])("%s is a published value", (value) => {
    expect(published.has(value)).toBe(true);
  });
});
