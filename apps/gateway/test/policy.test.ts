import type { DescMethod } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contractServices, procedureOf } from "../src/contract.ts";
import { envelope, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
beforeAll(async () => {
  system = await startStubSystem();
});
afterAll(() => system.close());

const methods = contractServices.flatMap((service) => service.methods);
const refusals = new Set(["unimplemented", "unauthenticated", "permission_denied"]);

/** The code that the policy gives, "admitted" if the request passed it. */
async function outcome(method: DescMethod, authorization?: string): Promise<string> {
  const isStream = method.methodKind === "server_streaming";
  const response = await fetch(system.url + procedureOf(method), {
    method: "POST",
    headers: {
      "content-type": isStream ? "application/connect+json" : "application/json",
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: isStream ? envelope({}) : "{}",
  });
  const text = await response.text();
  const code = /"code":"([a-z_]+)"/.exec(text)?.[1] ?? "ok";
  return refusals.has(code) ? code : "admitted";
}

describe("the access policy at the gateway", () => {
  it("refuses a token that has expired, is for another audience, or is no token", async () => {
    const [login] = methods.filter((method) => method.name === "Login");
    if (login === undefined) throw new Error("no Login");
    expect(await outcome(login, `Bearer ${await system.token("CUSTOMER", { expires: "-1m" })}`)).toBe(
      "unauthenticated",
    );
    expect(await outcome(login, `Bearer ${await system.token("CUSTOMER", { audience: "other" })}`)).toBe(
      "unauthenticated",
    );
    expect(await outcome(login, "Basic YTpi")).toBe("unauthenticated");
  });

  it("answers alike for a method that does not exist and one that is internal", async () => {
    const post = (path: string) =>
      fetch(system.url + path, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    const internal = await post("/rialto.product.v1.InventoryService/ReserveStock");
    const nothing = await post("/rialto.product.v1.InventoryService/Nothing");
    expect(internal.status).toBe(501);
    expect(nothing.status).toBe(internal.status);
    expect(await nothing.json()).toEqual(await internal.json());
  });
});
