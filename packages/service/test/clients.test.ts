import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type AuthService, GetJsonWebKeySetResponseSchema } from "@rialto/contracts";
import type { Client } from "@rialto/rpc";
import { expect, it } from "vitest";
import { accessKeysFrom } from "../src/index.ts";

it("the user service says with its keys whether gateways pass access tokens on, and one of 0.1.0 that they do", async () => {
  const key = { kty: "OKP", crv: "Ed25519", x: "x", kid: "a", alg: "EdDSA", use: "sig" };
  const answers: MessageInitShape<typeof GetJsonWebKeySetResponseSchema>[] = [
    { keys: [key] },
    { keys: [key], gatewayTokens: true },
  ];
  const getJsonWebKeySet = async () => create(GetJsonWebKeySetResponseSchema, answers.shift());
  // One method of the client is all that is called.
  const client = { getJsonWebKeySet } as unknown as Client<typeof AuthService>;
  const heard: boolean[] = [];
  const ask = accessKeysFrom(client, (areTaken) => heard.push(areTaken));
  expect([await ask(), await ask()]).toEqual([{ keys: [key] }, { keys: [key] }]);
  expect(heard).toEqual([false, true]);
});
