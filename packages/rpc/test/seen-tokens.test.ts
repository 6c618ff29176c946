import { importJWK, type JSONWebKeySet, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { identify } from "../src/identity/identity.ts";
import {
  createPersonTokens,
  createServiceTokens,
  createTokenVerifier,
  reasonOf,
  seenPerson,
  type UserId,
} from "../src/index.ts";
import { keyPair } from "./keys.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});
const passSeconds = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);

const ada = { userId: "u-1" as UserId, role: "CUSTOMER", sessionId: "s-1" } as const;

/** A gateway that calls the order service for Ada, whose tokens the service has seen. */
async function world() {
  const [access, gateway] = [await keyPair("access-1"), await keyPair("gateway")];
  const ended = new Set<string>();
  const accessSet: { keys: JSONWebKeySet["keys"] } = { keys: [access.public] };
  const verifier = createTokenVerifier({
    accessKeys: async () => ({ keys: [...accessSet.keys] }),
    serviceKeys: { keys: [gateway.public] },
    revocations: { has: (sessionId) => ended.has(sessionId), onEnd: () => () => undefined },
  });
  const own = { name: "gateway", privateKey: gateway.private };
  const now = Math.floor(Date.now() / 1000);
  const accessToken = await new SignJWT({ sid: "s-1", role: "CUSTOMER" })
    .setProtectedHeader({ alg: "EdDSA", kid: access.kid })
    .setIssuer("rialto")
    .setAudience("rialto")
    .setSubject("u-1")
    .setIssuedAt(now)
    .setExpirationTime(now + 900)
    .sign(await importJWK(access.private, "EdDSA"));
  const service = await createServiceTokens(own).for("order");
  const person = await createPersonTokens(own).for(ada, "order");
  const identified = (authorization: string, at = "order") => {
    const headers = new Headers({ "rialto-service": service, authorization });
    return identify(headers, at, verifier);
  };
  await identified(`Bearer ${person}`);
  await identified(`Bearer ${accessToken}`);
  return { verifier, service, person, accessToken, accessSet, ended, identified };
}

const reasonWhy = async (work: () => unknown) => {
  try {
    await work();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
};

describe("a call whose tokens were seen before", () => {
  it("is identified at once", async () => {
    const { identified, person, accessToken } = await world();
    expect(identified(`Bearer ${person}`)).toEqual({ caller: { kind: "user", ...ada } });
    // A gateway of version 0.1.0 passes the access token on.
    expect(identified(`Bearer ${accessToken}`)).toEqual({ caller: { kind: "user", ...ada }, userToken: accessToken });
  });

  it("is identified as before where its header is written in another way", async () => {
    const { identified, person } = await world();
    for (const header of [`bearer ${person}`, `Bearer   ${person}`])
      expect(await identified(header)).toEqual({ caller: { kind: "user", ...ada } });
  });

  it("is refused under another scheme, and with anything more in its header", async () => {
    const { identified, person } = await world();
    for (const header of [`Basic ${person}`, person, `Bearer ${person} more`, `Bearer ${person}x`, "Bearer "])
      expect(await reasonWhy(() => identified(header))).toBe("TOKEN_INVALID");
  });

  it("is refused at another service", async () => {
    const { identified, person } = await world();
    expect(await reasonWhy(() => identified(`Bearer ${person}`, "payment"))).toBe("TOKEN_INVALID");
  });

  it("is refused once the session has ended, whichever token names it", async () => {
    const { identified, person, accessToken, ended } = await world();
    ended.add("s-1");
    for (const token of [person, accessToken])
      expect(await reasonWhy(() => identified(`Bearer ${token}`))).toBe("SESSION_ENDED");
  });

  it("is refused once its tokens have expired, but for a little skew", async () => {
    const { identified, person, verifier, service } = await world();
    passSeconds(62);
    expect(verifier.seen?.service(service, "order")).toEqual({ name: "gateway" });
    passSeconds(5);
    expect(await reasonWhy(() => identified(`Bearer ${person}`))).toBe("TOKEN_INVALID");
  });

  it("is refused within half a minute after the key of its access token was taken out", async () => {
    const { verifier, accessToken, accessSet } = await world();
    accessSet.keys = [(await keyPair("access-2")).public];
    passSeconds(29);
    expect(verifier.seen?.user(accessToken, "order")).toEqual(ada);
    passSeconds(2);
    // Not at once: the keys have to be fetched, by those who wait.
    expect(verifier.seen?.user(accessToken, "order")).toBeUndefined();
    expect(await reasonWhy(() => verifier.user(accessToken, "order"))).toBe("TOKEN_INVALID");
    expect(verifier.seen?.user(accessToken, "order")).toBeUndefined();
  });
});

describe("a person whose access token the gateway has seen", () => {
  it("is known at once, as is nobody without a token", async () => {
    const { verifier, accessToken } = await world();
    expect(seenPerson(`Bearer ${accessToken}`, verifier)).toEqual({ kind: "user", ...ada });
    expect(seenPerson(undefined, verifier)).toEqual({ kind: "anonymous" });
  });

  it("has to be verified by any other token, though a service has seen it", async () => {
    const { verifier, accessToken, person } = await world();
    expect(await verifier.user(person, "order")).toEqual(ada);
    for (const header of [`Bearer ${person}`, `Basic ${accessToken}`, accessToken, `Bearer ${accessToken}x`, "Bearer "])
      expect(seenPerson(header, verifier)).toBeUndefined();
  });

  it("has to be verified again once the session has ended or the token expired", async () => {
    const { verifier, accessToken, ended } = await world();
    ended.add("s-1");
    expect(seenPerson(`Bearer ${accessToken}`, verifier)).toBeUndefined();
    ended.clear();
    passSeconds(29);
    expect(seenPerson(`Bearer ${accessToken}`, verifier)).toBeDefined();
    passSeconds(900);
    expect(seenPerson(`Bearer ${accessToken}`, verifier)).toBeUndefined();
  });
});
