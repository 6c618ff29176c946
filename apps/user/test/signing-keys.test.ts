import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openSigningKeys } from "../src/sessions/signing-keys.ts";

const none = { signingKey: undefined, signingPublicKeys: undefined, signingKeyFile: undefined };
const nothingMade = () => Promise.reject(new Error("no key is made here"));
let folder: string;
let first: JWK;
let second: JWK;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-keys-"));
  [first, second] = await Promise.all([newKey("first"), newKey("second")]);
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => void vi.useRealTimers());

async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return { ...(await exportJWK(privateKey)), kid };
}
const publicPart = ({ d: _private, ...key }: JWK): JWK => key;
const named = (keys: readonly JWK[]) =>
  keys.map(({ kid, d }) => `${kid}${d === undefined ? "" : " with its private part"}`);

describe("the keys of access tokens", () => {
  it("are the one that signs, and those that are published beside it", async () => {
    const keys = openSigningKeys(
      { ...none, signingKey: first, signingPublicKeys: { keys: [publicPart(second)] } },
      nothingMade,
    );
    const { current, published } = await keys();
    expect(current.kid).toBe("first");
    expect(named(published)).toEqual(["first", "second"]);
  });

  it("rotate with a mounted file: published first, signing then, published for a while longer", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const path = join(folder, "keys.json");
    const write = (...all: JWK[]) => writeFile(path, JSON.stringify({ keys: all }));
    await write(first);
    const keys = openSigningKeys({ ...none, signingKeyFile: path }, nothingMade);
    const seen = async () => {
      vi.setSystemTime(Date.now() + 6_000);
      const { current, published } = await keys();
      return [current.kid, ...named(published)];
    };
    expect(await seen()).toEqual(["first", "first"]);
    await write(first, second);
    expect(await seen()).toEqual(["first", "first", "second"]);
    await write(second, publicPart(first));
    expect(await seen()).toEqual(["second", "second", "first"]);
    await writeFile(path, '{"keys":[');
    expect(await seen()).toEqual(["second", "second", "first"]);
    await write(second);
    expect(await seen()).toEqual(["second", "second"]);
  });

  it("are missed at the start, in words, where the file is none", async () => {
    const path = join(folder, "nothing.json");
    const keys = openSigningKeys({ ...none, signingKeyFile: path }, nothingMade);
    await expect(keys()).rejects.toMatchObject({
      lines: [expect.stringMatching(/^RIALTO_SIGNING_KEY_FILE must name/)],
    });
  });
});
