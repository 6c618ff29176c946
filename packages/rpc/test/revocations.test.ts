import { setTimeout as sleep } from "node:timers/promises";
import { OrderService } from "@rialto/contracts";
import { createLogger } from "@rialto/telemetry";
import { afterEach, describe, expect, it } from "vitest";
import {
  backgroundContext,
  createClient,
  createTokenVerifier,
  type EndedSession,
  type Revocations,
  reasonOf,
  watchRevocations,
} from "../src/index.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";

const open: Revocations[] = [];
afterEach(async () => {
  for (const revocations of open.splice(0)) await revocations.stop();
});

const log = createLogger({ service: "test", level: "silent" });

/** A list whose keeper answers what the test put there, and is asked only when told. */
function watch(answer: (since: Date | undefined) => Promise<readonly EndedSession[]>) {
  const revocations = watchRevocations({ fetch: answer, log, pollMs: 3_600_000 });
  open.push(revocations);
  return revocations;
}

async function shopWith(
  revocations: Revocations,
  credential: (typeof credentials)[number],
  orders: Parameters<typeof createFixture>[1] = {},
) {
  const people = await createPeople();
  const verifier = createTokenVerifier({
    accessKeys: async () => ({ keys: [people.access.public] }),
    serviceKeys: { keys: [people.gatewayKey] },
    revocations,
  });
  const shop = createFixture({ ...people, verifier }, orders);
  const names = { caller: "gateway", target: "order", tokens: people.gateway, persons: people.persons };
  const client = createClient(OrderService, { kind: "local", endpoint: () => shop.endpoint }, names);
  return { client, context: await contextOf(credential, people) };
}

/** A person, named by the gateway of this version or of 0.1.0. */
const credentials = ["the gateway's own token", "their access token"] as const;

async function contextOf(credential: (typeof credentials)[number], people: People) {
  if (credential === "their access token") return { ...backgroundContext({}), userToken: people.customer };
  const claims = await people.verifier.user(people.customer);
  return { ...backgroundContext({}), caller: { kind: "user", ...claims } as const };
}

const ended: EndedSession = { sessionId: "session-1", time: new Date() };
const refusalOf = (work: Promise<unknown>) => work.then(() => "none", reasonOf);

describe("a process that has never had the list", () => {
  it("asks for it again soon, however seldom it asks later", async () => {
    let failures = 3;
    const revocations = watch(async () => {
      failures -= 1;
      if (failures >= 0) throw new Error("the user service is not there yet");
      return [ended];
    });
    await expect.poll(() => revocations.has(ended.sessionId)).toBe(true);
    expect(revocations.state().isFresh).toBe(true);
  });
});

describe.each(credentials)("a session that has ended, shown by %s", (credential) => {
  it("is refused at the next call, though its token was good and is remembered as good", async () => {
    const list: EndedSession[] = [];
    const revocations = watch(async () => list);
    const { client, context } = await shopWith(revocations, credential);
    expect(await refusalOf(client.getOrder({ id: orderId }, context))).toBe("none");
    list.push(ended);
    await revocations.refresh();
    expect(await refusalOf(client.getOrder({ id: orderId }, context))).toBe("SESSION_ENDED");
  });

  it("ends the streams that it holds open", async () => {
    const list: EndedSession[] = [];
    const revocations = watch(async () => list);
    const { client, context } = await shopWith(revocations, credential, {
      async *watchOrder(_request, ctx) {
        yield { order: { id: orderId } };
        await sleep(60_000, undefined, { signal: ctx.signal });
      },
    });
    const messages: unknown[] = [];
    const watching = (async () => {
      for await (const message of client.watchOrder({ id: orderId }, context)) {
        messages.push(message);
        list.push(ended);
        await revocations.refresh();
      }
    })();
    expect(await refusalOf(watching)).toBe("SESSION_ENDED");
    expect(messages).toHaveLength(1);
  });
});

describe("the list of ended sessions", () => {
  it("is asked for from a minute before the newest end on, because an end is stamped before it is committed", async () => {
    const asked: (Date | undefined)[] = [];
    const revocations = watch(async (since) => {
      asked.push(since);
      return [ended];
    });
    await revocations.refresh();
    await revocations.refresh();
    expect(asked.at(0)).toBeUndefined();
    expect(asked.at(-1)).toEqual(new Date(+ended.time - 60_000));
  });

  it("says that it is not fresh where it cannot be had, and goes on with what it has", async () => {
    let isAway = false;
    const revocations = watch(async () => {
      if (isAway) throw new Error("away");
      return [ended];
    });
    await revocations.refresh();
    expect(revocations.state().isFresh).toBe(true);
    isAway = true;
    await expect(revocations.refresh()).rejects.toThrow("away");
    expect(revocations.has("session-1")).toBe(true);
    const never = watch(() => Promise.reject(new Error("away")));
    expect(never.state()).toEqual({ isFresh: false, ageMs: undefined });
  });
});
