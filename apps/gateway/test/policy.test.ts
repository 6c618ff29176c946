import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { access, Role } from "@rialto/contracts";
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

/** The code that the policy gives, "admitted" where the request got past it. */
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

/** Written from the contract's words, not with the code that decides. */
function expected(method: DescMethod, who: "anonymous" | "CUSTOMER" | "ADMIN" | "bad token"): string {
  const roles = getOption(method, access).roles;
  if (roles.length === 0) return "unimplemented";
  if (who === "bad token") return "unauthenticated";
  if (roles.includes(Role.PUBLIC)) return "admitted";
  if (who === "anonymous") return "unauthenticated";
  return roles.includes(Role[who]) ? "admitted" : "permission_denied";
}

describe("the access policy at the gateway", () => {
  it.each(methods.map((method) => [procedureOf(method), method] as const))(
    "of %s is the contract's",
    async (_, method) => {
      const customer = `Bearer ${await system.token("CUSTOMER")}`;
      const admin = `Bearer ${await system.token("ADMIN")}`;
      const forged = `${customer.slice(0, -8)}AAAAAAAA`;
      expect({
        anonymous: await outcome(method),
        customer: await outcome(method, customer),
        admin: await outcome(method, admin),
        forged: await outcome(method, forged),
      }).toEqual({
        anonymous: expected(method, "anonymous"),
        customer: expected(method, "CUSTOMER"),
        admin: expected(method, "ADMIN"),
        forged: expected(method, "bad token"),
      });
    },
  );

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

  it("answers a method that is not there as one that is internal", async () => {
    const post = (path: string) =>
      fetch(system.url + path, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    const internal = await post("/rialto.product.v1.InventoryService/ReserveStock");
    const nothing = await post("/rialto.product.v1.InventoryService/Nothing");
    expect(internal.status).toBe(501);
    expect(nothing.status).toBe(internal.status);
    expect(await nothing.json()).toEqual(await internal.json());
  });
});
