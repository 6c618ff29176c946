import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { connectionsNeeded } from "../src/process/databases.ts";

const table = readFileSync(new URL("../../../docs/requirements.md", import.meta.url), "utf8");

describe("connectionsNeeded", () => {
  it.each([
    ["everything in one", [13, 15, 13, 13, 13, 13], 5],
    ["user", [13], 0],
    ["product", [15], 0],
    ["order", [13], 2],
    ["payment", [13, 13], 0],
    ["notification", [13], 3],
  ])("is what the table of docs/requirements.md says of %s", (process, pools, subscriptions) => {
    const databases = pools.map((connectionsMax) => ({ connectionsMax }));
    const onRedis = connectionsNeeded({ databases, subscriptionsOnPostgres: undefined });
    const onPostgres = connectionsNeeded({ databases, subscriptionsOnPostgres: subscriptions });
    const row = table.split("\n").find((line) => line.startsWith(`| ${process} |`));
    expect(row?.split("|").slice(3, 5).map(Number)).toEqual([onRedis, onPostgres]);
  });
});
