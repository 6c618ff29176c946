import { importJWK, type JSONWebKeySet, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createServiceTokens, createTokenVerifier, reasonOf } from "../src/index.ts";
import { keyPair } from "./keys.ts";

type Key = Awaited<ReturnType<typeof keyPair>>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});
const passSeconds = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

async function accessToken(key: Key, seconds = 900, issuedBefore = 0): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ sid: "s-1", role: "CUSTOMER" })
    .setProtectedHeader({ alg: "EdDSA", kid: key.kid })
    .setIssuer("rialto")
    .setAudience("rialto")
    .setSubject("u-1")
    .setIssuedAt(now - issuedBefore)
    .setExpirationTime(now + seconds)
    .sign(await importJWK(key.private, "EdDSA"));
}

/** A verifier whose key set the test holds, and how often it was asked for. */
function verifierOf(...keys: Key[]) {
  const state = {
    set: { keys: keys.map((key) => key.public) } as JSONWebKeySet,
    answer: undefined as Promise<JSONWebKeySet> | undefined,
    asked: 0,
    isDown: false,
  };
  const verifier = createTokenVerifier({
    accessKeys: async () => {
      state.asked += 1;
      if (state.isDown) throw new Error("the user service at 10.0.0.7 is down");
      return state.answer ?? state.set;
    },
    serviceKeys: { keys: [] },
  });
  return { verifier, state };
}

const reasonWhy = (work: Promise<unknown>) => work.then(() => undefined, reasonOf);

describe("the verifier of access tokens", () => {
  it("asks for the keys once, however many come at once", async () => {
    const key = await keyPair("a");
    const { verifier, state } = verifierOf(key);
    const token = await accessToken(key);
    const all = await Promise.all(Array.from({ length: 20 }, () => verifier.user(token)));
    expect(all[19]).toEqual({ userId: "u-1", role: "CUSTOMER", sessionId: "s-1" });
    expect(state.asked).toBe(1);
  });

  it("takes a token of a new key without a restart, and goes on with those of the old", async () => {
    const [old, next] = [await keyPair("a"), await keyPair("b")];
    const { verifier, state } = verifierOf(old);
    await verifier.user(await accessToken(old));
    state.set = { keys: [old.public, next.public] };
    passSeconds(3);
    await verifier.user(await accessToken(next));
    await verifier.user(await accessToken(old, 800));
    expect(state.asked).toBe(2);
  });

  it("is not made to ask all the time by tokens of unknown keys", async () => {
    const [known, unknown] = [await keyPair("a"), await keyPair("b")];
    const { verifier, state } = verifierOf(known);
    for (let call = 0; call < 10; call += 1) {
      expect(await reasonWhy(verifier.user(await accessToken(unknown, 100 + call)))).toBe("TOKEN_INVALID");
    }
    expect(state.asked).toBe(1);
  });

  it("goes on with the keys that it has while they cannot be had", async () => {
    const key = await keyPair("a");
    const { verifier, state } = verifierOf(key);
    await verifier.user(await accessToken(key));
    state.isDown = true;
    passSeconds(3600);
    for (let call = 0; call < 10; call += 1) await verifier.user(await accessToken(key, 100 + call));
    // Not at every call: each would wait for it.
    expect(state.asked).toBe(2);
    passSeconds(3);
    await verifier.user(await accessToken(key));
    expect(state.asked).toBe(3);
  });

  it("makes no call wait for keys for long where it has some", async () => {
    const key = await keyPair("a");
    const { verifier, state } = verifierOf(key);
    await verifier.user(await accessToken(key));
    state.answer = new Promise(() => {});
    passSeconds(3600);
    await verifier.user(await accessToken(key));
    expect(state.asked).toBe(2);
  });

  it("refuses within half a minute what a key signed that was taken out, also where it held before", async () => {
    const [stolen, next] = [await keyPair("a"), await keyPair("b")];
    const { verifier, state } = verifierOf(stolen);
    const seen = await accessToken(stolen);
    await verifier.user(seen);
    state.set = { keys: [next.public] };
    passSeconds(31);
    expect(await reasonWhy(verifier.user(seen))).toBe("TOKEN_INVALID");
    expect(await reasonWhy(verifier.user(await accessToken(stolen, 800)))).toBe("TOKEN_INVALID");
    await verifier.user(await accessToken(next));
  });

  it("refuses what a key signed under its own name that was exchanged for another", async () => {
    const [stolen, next] = [await keyPair("a"), await keyPair("a")];
    const { verifier, state } = verifierOf(stolen);
    const seen = await accessToken(stolen);
    await verifier.user(seen);
    state.set = { keys: [next.public] };
    passSeconds(31);
    expect(await reasonWhy(verifier.user(seen))).toBe("TOKEN_INVALID");
  });

  it.each([
    ["lives longer than fifteen minutes", 901, 0],
    ["began long ago", 60, 3600],
    ["begins in the future", 1_210, -310],
    ["does not end", 100 * 365 * 86_400, 0],
  ])("refuses a token that %s, however well it is signed", async (_, seconds, issuedBefore) => {
    const key = await keyPair("a");
    const { verifier } = verifierOf(key);
    expect(await reasonWhy(verifier.user(await accessToken(key, seconds, issuedBefore)))).toBe("TOKEN_INVALID");
  });

  it("takes a token of a machine whose clock is four minutes ahead", async () => {
    const key = await keyPair("a");
    const { verifier } = verifierOf(key);
    await verifier.user(await accessToken(key, 1_140, -240));
  });

  it("does not call a token bad because it has no keys yet", async () => {
    const key = await keyPair("a");
    const { verifier, state } = verifierOf(key);
    state.isDown = true;
    const error = await verifier.user(await accessToken(key)).catch((reason: unknown) => reason);
    expect(reasonOf(error)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(String(error)).not.toContain("10.0.0.7");
    state.isDown = false;
    await verifier.user(await accessToken(key));
  });

  it("forgets that a token held when it expires, but for a little skew", async () => {
    const key = await keyPair("a");
    const { verifier } = verifierOf(key);
    const token = await accessToken(key, 60);
    await verifier.user(token);
    passSeconds(62);
    await verifier.user(token);
    passSeconds(5);
    expect(await reasonWhy(verifier.user(token))).toBe("TOKEN_INVALID");
  });
});

describe("a service's tokens", () => {
  it("are made once for each audience, and again before they expire", async () => {
    const key = await keyPair("order");
    const tokens = createServiceTokens({ name: "order", privateKey: key.private });
    const verifier = createTokenVerifier({
      accessKeys: async () => ({ keys: [] }),
      serviceKeys: { keys: [key.public] },
    });
    const first = await tokens.for("product");
    expect(await tokens.for("product")).toBe(first);
    expect(await tokens.for("payment")).not.toBe(first);
    passSeconds(45);
    const second = await tokens.for("product");
    expect(second).not.toBe(first);
    expect(await verifier.service(second, "product")).toEqual({ name: "order" });
    passSeconds(40);
    expect(await reasonWhy(verifier.service(first, "product"))).toBe("TOKEN_INVALID");
  });

  it("hold for their audience only, also when they held there before", async () => {
    const key = await keyPair("order");
    const tokens = createServiceTokens({ name: "order", privateKey: key.private });
    const verifier = createTokenVerifier({
      accessKeys: async () => ({ keys: [] }),
      serviceKeys: { keys: [key.public] },
    });
    const token = await tokens.for("product");
    await verifier.service(token, "product");
    expect(await reasonWhy(verifier.service(token, "payment"))).toBe("TOKEN_INVALID");
  });
});
