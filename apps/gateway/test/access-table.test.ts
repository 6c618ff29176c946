import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { access, Role } from "@rialto/contracts";
import { clientAddressHeader, serviceTokenHeader } from "@rialto/rpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contractServices, procedureOf, upstreamNameOf } from "../src/contract.ts";
import { envelope, type StubSystem, startStubSystem } from "./stub-system.ts";

/**
 * Calls every method of the contract as every kind of caller, through the gateway (with the service in its process and
 * in another) and at the service itself. The expected outcome is derived from the contract's text, not from the code
 * that decides. Ownership is tested in apps/rialto/test/ownership.e2e.test.ts.
 */
interface Place {
  readonly system: StubSystem;
  readonly customer: string;
  readonly admin: string;
  readonly bad: Readonly<Record<string, string>>;
}
let apart: Place;
/** The services are in the gateway's process. */
let together: Place;
beforeAll(async () => {
  [apart, together] = await Promise.all([start(true), start(false)]);
});
afterAll(() => Promise.all([apart, together].map(({ system }) => system.close())));

async function start(overNetwork: boolean): Promise<Place> {
  const system = await startStubSystem({}, { overNetwork });
  const [customer, admin, bad] = await Promise.all([
    system.token("CUSTOMER"),
    system.token("ADMIN"),
    system.badTokens(),
  ]);
  return { system, customer, admin, bad };
}

const services = ["user", "product", "order", "payment", "notification"];
const methods = contractServices.flatMap((service) => service.methods);
const refusals = new Set(["unimplemented", "unauthenticated", "permission_denied"]);

/** The code that the policy gives, "let in" if the request passed it. */
async function outcome(base: string, method: DescMethod, headers: Record<string, string>): Promise<string> {
  const isStream = method.methodKind === "server_streaming";
  const response = await fetch(base + procedureOf(method), {
    method: "POST",
    headers: { "content-type": isStream ? "application/connect+json" : "application/json", ...headers },
    body: isStream ? envelope({}) : "{}",
  });
  const code = /"code":"([a-z_]+)"/.exec(await response.text())?.[1] ?? "ok";
  return refusals.has(code) ? code : "let in";
}

/** The expected outcome for a person. */
function ofPerson(method: DescMethod, who: "anonymous" | "CUSTOMER" | "ADMIN" | "bad token"): string {
  const { roles } = getOption(method, access);
  if (roles.length === 0) return "unimplemented";
  if (who === "bad token") return "unauthenticated";
  if (roles.includes(Role.PUBLIC)) return "let in";
  if (who === "anonymous") return "unauthenticated";
  return roles.includes(Role[who]) ? "let in" : "permission_denied";
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function table(
  base: string,
  { system, customer, admin, bad }: Place,
  method: DescMethod,
): Promise<Record<string, string>> {
  const target = targetOf(method);
  const rows: Record<string, string> = {
    anonymous: await outcome(base, method, {}),
    customer: await outcome(base, method, bearer(customer)),
    admin: await outcome(base, method, bearer(admin)),
  };
  for (const [what, token] of Object.entries(bad)) rows[what] = await outcome(base, method, bearer(token));
  for (const name of services) {
    const headers = { [serviceTokenHeader]: await system.serviceToken(name, target) };
    rows[`service ${name}`] = await outcome(base, method, headers);
  }
  return rows;
}

/** The service of a method; of those that every service has, one of them. */
function targetOf(method: DescMethod): string {
  return services.includes(upstreamNameOf(method)) ? upstreamNameOf(method) : "order";
}

function expected(method: DescMethod, ofBadToken: string, ofService: (caller: string) => string) {
  return {
    anonymous: ofPerson(method, "anonymous"),
    customer: ofPerson(method, "CUSTOMER"),
    admin: ofPerson(method, "ADMIN"),
    ...Object.fromEntries(Object.keys(apart.bad).map((what) => [what, ofBadToken])),
    ...Object.fromEntries(services.map((name) => [`service ${name}`, ofService(name)])),
  };
}

describe.each(methods.map((method) => [procedureOf(method), method] as const))("%s", (_, method) => {
  const target = targetOf(method);
  const inside = async (caller: string) => ({ [serviceTokenHeader]: await apart.system.serviceToken(caller, target) });

  it("has a policy", () => {
    expect(hasOption(method, access)).toBe(true);
  });

  it("is open at the gateway to the roles that the contract names, and a service's token is ignored there", async () => {
    const anonymous = ofPerson(method, "anonymous");
    const wanted = expected(method, ofPerson(method, "bad token"), () => anonymous);
    for (const place of [apart, together]) expect(await table(place.system.url, place, method)).toEqual(wanted);
  });

  it("is open at its service to the services that the contract names, and to people only through the gateway", async () => {
    const { services: named, anyService } = getOption(method, access);
    const wanted = expected(method, "unauthenticated", (caller) =>
      anyService || named.includes(caller) ? "let in" : "permission_denied",
    );
    const noPerson = { anonymous: "unauthenticated", customer: "unauthenticated", admin: "unauthenticated" };
    expect(await table(apart.system.direct(target), apart, method)).toEqual({ ...wanted, ...noPerson });
  });

  it("is open to the gateway itself where the contract names it and no role, and to no one who calls through it", async () => {
    const { roles, services: named, anyService } = getOption(method, access);
    const direct = apart.system.direct(target);
    const gateway = await inside("gateway");
    const passedOn = { ...gateway, [clientAddressHeader]: "203.0.113.7" };
    const anonymous = ofPerson(method, "anonymous");
    const isOwn = roles.length === 0 && named.includes("gateway");
    expect(await outcome(direct, method, gateway)).toBe(isOwn ? "let in" : anonymous);
    expect(await outcome(direct, method, passedOn)).toBe(anonymous);
    expect(await outcome(direct, method, { ...passedOn, ...bearer(apart.admin) })).toBe(ofPerson(method, "ADMIN"));
    // A person's token is ignored beside a service's token, and the gateway's token is valid for one service only.
    const order = await inside("order");
    const ofOrder = anyService || named.includes("order") ? "let in" : "permission_denied";
    expect(await outcome(direct, method, { ...order, ...bearer(apart.admin) })).toBe(ofOrder);
    const elsewhere = { [serviceTokenHeader]: await apart.system.serviceToken("gateway", "elsewhere") };
    expect(await outcome(direct, method, { ...elsewhere, ...bearer(apart.admin) })).toBe("unauthenticated");
  });
});

it("lets no service in with a token that was made for another", async () => {
  const [method] = methods.filter(({ name }) => name === "ReserveStock");
  if (method === undefined) throw new Error("no ReserveStock");
  const { system } = apart;
  const call = async (target: string) =>
    outcome(system.direct("product"), method, { [serviceTokenHeader]: await system.serviceToken("order", target) });
  expect([await call("product"), await call("payment")]).toEqual(["let in", "unauthenticated"]);
});
