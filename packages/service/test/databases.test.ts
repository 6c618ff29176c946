import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { connectionsNeeded } from "../src/process/databases.ts";

const table = readFileSync(new URL("../../../docs/requirements.md", import.meta.url), "utf8");

describe("connectionsNeeded", () => {
  it.each([
    ["everything in one", [10, 14, 12, 12, 10, 10], 6],
    ["user", [10], 0],
    ["product", [14], 0],
    ["order", [12], 2],
    ["payment", [12, 10], 0],
    ["notification", [10], 4],
  ])("is what the table of docs/requirements.md says of %s", (process, pools, subscriptions) => {
    const databases = pools.map((connectionsMax) => ({ connectionsMax }));
    const onRedis = connectionsNeeded({ databases, subscriptionsOnPostgres: undefined });
    const onPostgres = connectionsNeeded({ databases, subscriptionsOnPostgres: subscriptions });
    const row = table.split("\n").find((line) => line.startsWith(`| ${process} |`));
    expect(row?.split("|").slice(3, 5).map(Number)).toEqual([onRedis, onPostgres]);
  });
});
