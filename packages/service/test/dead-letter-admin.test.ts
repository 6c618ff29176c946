import { randomUUID } from "node:crypto";
import { DeadLetterService } from "@rialto/contracts";
import { backgroundContext, createClient, createEndpoint, nextPageToken, reasonOf, type UserId } from "@rialto/rpc";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetterRoute } from "../src/events/dead-letter-admin.ts";

const eventId = "01900000-0000-7000-8000-000000000001";

let database: TestDatabase;
beforeAll(async () => {
  const migrations = new URL("fixture/order-migrations/", import.meta.url);
  database = await testDatabase({ schemas: [{ name: "order", migrations }] });
});
afterAll(() => database.close());

/** What an admin is told who asks for the dead letters after a row with these keys. */
async function listedAfter(...keys: readonly string[]) {
  const endpoint = createEndpoint({
    service: "order",
    routes: [deadLetterRoute({ database: database.database("order"), subscriptions: [] })],
    verifier: {
      user: async () => ({ userId: randomUUID() as UserId, role: "ADMIN", sessionId: "s" }),
      service: async (name) => ({ name }),
    },
    fingerprintKey: "a key for tests",
    log: quietLogger,
  });
  const names = { caller: "gateway", target: "order", tokens: { for: async () => "gateway" } };
  const client = createClient(
    DeadLetterService,
    { kind: "local", endpoint: () => endpoint, checksMessages: true },
    names,
  );
  const pageToken = nextPageToken(keys, { subscription: undefined });
  const origin = { ...backgroundContext({ timeoutMs: 5_000 }), userToken: "an-admins" };
  return client.listDeadLetters({ pageToken }, origin).then(({ deadLetters }) => deadLetters, reasonOf);
}

describe("a page token of the dead letters", () => {
  it("leads on from a row, also from one that is gone", async () => {
    expect(await listedAfter(eventId, "order-mail")).toEqual([]);
  });

  it.each([
    ["made up", "order-mail"],
    [eventId, "order-mail\0"],
    [eventId, "\ud800"],
    [eventId],
    [eventId, "order-mail", "more"],
    [],
  ])("is refused where no row has such keys: %j %j", async (...keys) => {
    expect(await listedAfter(...keys)).toBe("PAGE_TOKEN_INVALID");
  });
});
