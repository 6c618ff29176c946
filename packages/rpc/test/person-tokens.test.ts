import { decodeJwt, decodeProtectedHeader, importJWK, type JWK, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPersonTokens, createServiceTokens, createTokenVerifier, reasonOf, type UserId } from "../src/index.ts";
import { keyPair } from "./keys.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});
const passSeconds = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const reasonWhy = (work: Promise<unknown>) => work.then(() => undefined, reasonOf);

const ada = { userId: "u-1" as UserId, role: "CUSTOMER", sessionId: "s-1", emailConfirmed: false } as const;

async function world() {
  const [access, gateway, order] = [await keyPair("access-1"), await keyPair("gateway"), await keyPair("order")];
  const ended = new Set<string>();
  const verifier = createTokenVerifier({
    accessKeys: async () => ({ keys: [access.public] }),
    serviceKeys: { keys: [gateway.public, order.public] },
    revocations: { has: (sessionId) => ended.has(sessionId), onEnd: () => () => undefined },
  });
  const persons = createPersonTokens({ name: "gateway", privateKey: gateway.private });
  return { access, gateway, order, ended, verifier, persons };
}

/** A token as the gateway makes them for "order", but for what the test changes. */
async function made(key: JWK, o: { header?: object; payload?: object; without?: string } = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    ...{ iss: "gateway", sub: "u-1", aud: "order", sid: "s-1", role: "ADMIN", act: { sub: "gateway" } },
    ...{ iat: now, exp: now + 60, ...o.payload },
  };
  const kept = Object.entries(payload).filter(([name]) => name !== o.without);
  return new SignJWT(Object.fromEntries(kept))
    .setProtectedHeader({ alg: "EdDSA", kid: "gateway", typ: "rialto-person+jwt", ...o.header })
    .sign(await importJWK(key, "EdDSA"));
}

describe("what the gateway says of a person", () => {
  it("is what their access token says, at the service that it is for", async () => {
    const { verifier, persons } = await world();
    const { emailConfirmed: _unknown, ...old } = ada;
    for (const person of [ada, { ...ada, role: "ADMIN" } as const, { ...ada, emailConfirmed: true }, old]) {
      expect(await verifier.user(await persons.for(person, "order"), "order")).toEqual(person);
    }
  });

  it("names the person, the gateway that acts for them, and one service, and lasts a minute", async () => {
    const { persons } = await world();
    const token = await persons.for(ada, "order");
    const { iat = 0, ...said } = decodeJwt(token);
    expect(decodeProtectedHeader(token)).toEqual({ alg: "EdDSA", kid: "gateway", typ: "rialto-person+jwt" });
    expect(said).toEqual({
      ...{ iss: "gateway", sub: "u-1", aud: "order", act: { sub: "gateway" }, exp: iat + 60 },
      ...{ sid: "s-1", role: "CUSTOMER", email_verified: false },
    });
  });

  it("is good at no other service, at no gateway, and for no service, also where it was good before", async () => {
    const { verifier, persons } = await world();
    const token = await persons.for(ada, "order");
    await verifier.user(token, "order");
    expect(await reasonWhy(verifier.user(token, "payment"))).toBe("TOKEN_INVALID");
    expect(await reasonWhy(verifier.user(token))).toBe("TOKEN_INVALID");
    expect(await reasonWhy(verifier.service(token, "order"))).toBe("TOKEN_INVALID");
  });

  it("is over after a minute, but for a little skew", async () => {
    const { verifier, persons } = await world();
    const token = await persons.for(ada, "order");
    await verifier.user(token, "order");
    passSeconds(62);
    await verifier.user(token, "order");
    passSeconds(5);
    expect(await reasonWhy(verifier.user(token, "order"))).toBe("TOKEN_INVALID");
  });

  it("is over with the session", async () => {
    const { verifier, persons, ended } = await world();
    const token = await persons.for(ada, "order");
    await verifier.user(token, "order");
    ended.add("s-1");
    expect(await reasonWhy(verifier.user(token, "order"))).toBe("SESSION_ENDED");
  });

  it("is signed once for a person and a service, and again before it is over", async () => {
    const { persons } = await world();
    const first = await persons.for(ada, "order");
    expect(await persons.for({ ...ada }, "order")).toBe(first);
    const others = [
      persons.for(ada, "payment"),
      persons.for({ ...ada, sessionId: "s-2" }, "order"),
      persons.for({ ...ada, userId: "u-2" as UserId }, "order"),
      persons.for({ ...ada, role: "ADMIN" }, "order"),
      persons.for({ ...ada, emailConfirmed: true }, "order"),
    ];
    expect(new Set([first, ...(await Promise.all(others))]).size).toBe(6);
    passSeconds(25);
    expect(await persons.for(ada, "order")).toBe(first);
    passSeconds(6);
    expect(await persons.for(ada, "order")).not.toBe(first);
  });

  it("is there without a wait once it is signed, until another one has to be", async () => {
    const { persons } = await world();
    expect(persons.signed?.(ada, "order")).toBeUndefined();
    const first = await persons.for(ada, "order");
    expect(persons.signed?.({ ...ada }, "order")).toBe(first);
    expect(persons.signed?.({ ...ada, sessionId: "s-1u", userId: "-1" as UserId }, "order")).toBeUndefined();
    passSeconds(31);
    expect(persons.signed?.(ada, "order")).toBeUndefined();
  });

  it("is kept for no more than ten thousand", async () => {
    const { persons } = await world();
    const person = (number: number) => ({ ...ada, userId: `u-${number}` as UserId });
    const first = persons.for(person(0), "order");
    for (let number = 1; number <= 9_999; number += 1) persons.for(person(number), "order").catch(() => undefined);
    expect(persons.for(person(0), "order")).toBe(first);
    await persons.for(person(10_000), "order");
    expect(persons.for(person(0), "order")).not.toBe(first);
  });

  it("holds where it is made like this", async () => {
    const { verifier, gateway } = await world();
    expect(await verifier.user(await made(gateway.private), "order")).toMatchObject({ userId: "u-1", role: "ADMIN" });
  });

  it.each([
    ["that another service signed", "order", {}],
    ["that another service signed under its own name", "order", { header: { kid: "order" } }],
    ["that another service signed and issued", "order", { header: { kid: "order" }, payload: { iss: "order" } }],
    ["that the key of access tokens signed", "access", {}],
    ["that the key of access tokens signed under its name", "access", { header: { kid: "access-1" } }],
    ["of an unknown role", "gateway", { payload: { role: "OWNER" } }],
    ["that lives for a day", "gateway", { payload: { exp: Math.floor(Date.now() / 1000) + 86_400 } }],
    ["of another issuer", "gateway", { payload: { iss: "rialto" } }],
    ["of no session", "gateway", { without: "sid" }],
    ["of nobody", "gateway", { without: "sub" }],
    ["that does not say who acts", "gateway", { without: "act" }],
    ["without an end", "gateway", { without: "exp" }],
    ["of another type, which has the shape of an access token", "gateway", { header: { typ: "JWT" } }],
  ] as const)("is not heard from a token %s", async (_, signer, o) => {
    const all = await world();
    const token = await made(all[signer].private, o);
    expect(await reasonWhy(all.verifier.user(token, "order"))).toBe("TOKEN_INVALID");
  });

  it("is not heard from the gateway's token of its own", async () => {
    const { verifier, gateway } = await world();
    const token = await createServiceTokens({ name: "gateway", privateKey: gateway.private }).for("order");
    expect(await reasonWhy(verifier.user(token, "order"))).toBe("TOKEN_INVALID");
  });
});
