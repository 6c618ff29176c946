import { once } from "node:events";
import { connect } from "node:http2";
import { clientAddressHeader, serviceTokenHeader } from "@rialto/rpc";
import { serviceNames } from "@rialto/service";
import { decodeJwt } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { contractServices, isPublished, procedureOf, upstreamNameOf } from "../src/contract.ts";
import { customerId, envelope, orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

/** What a service learns of the caller, and what an attacker who controls the service can do with it. */

const order = "/rialto.order.v1.OrderService/GetOrder";
/** A call that only an admin may make. */
const users = "/rialto.user.v1.UserService/ListUsers";
/** The refusal TOKEN_INVALID. */
const invalid = expect.stringContaining("The token is malformed, expired or not meant for this service.");
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function call(base: string, path: string, headers: Record<string, string>, body: unknown = { id: orderId }) {
  const isStream = path.endsWith("/WatchOrder");
  const response = await fetch(base + path, {
    method: "POST",
    headers: { "content-type": isStream ? "application/connect+json" : "application/json", ...headers },
    body: isStream ? new Uint8Array(envelope(body)) : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

describe("a compromised service", () => {
  let system: StubSystem;
  let customer: string;
  let admin: string;
  beforeAll(async () => {
    system = await startStubSystem({}, { overNetwork: true });
    [customer, admin] = await Promise.all([system.token("CUSTOMER"), system.token("ADMIN")]);
  });
  afterAll(() => system.close());
  afterEach(() => {
    system.sent.length = 0;
    system.calls.length = 0;
  });

  it("is sent no access token, whichever method is called and in whichever protocol", async () => {
    const methods = contractServices.flatMap(({ methods }) => methods).filter(isPublished);
    const types = ["application/json", "application/grpc-web+proto", "application/connect+json", "application/proto"];
    for (const token of [customer, admin]) {
      for (const method of methods) {
        for (const type of types) {
          const headers = { "content-type": type, "connect-protocol-version": "1", ...bearer(token) };
          const asked = fetch(system.url + procedureOf(method), {
            method: "POST",
            headers,
            body: new Uint8Array(envelope({})),
          });
          await (await asked).arrayBuffer();
        }
      }
      for (const path of [`/api/orders/${orderId}`, "/api/orders", "/api/users", "/api/products", "/api/payments"])
        await (await fetch(system.url + path, { headers: bearer(token) })).arrayBuffer();
    }
    expect(system.sent.length).toBeGreaterThan(100);
    expect(new Set(system.sent.map(({ service }) => service))).toEqual(new Set(serviceNames));
    const received = system.sent.flatMap(({ headers }) => [...headers.values()]).join("\n");
    for (const secret of [customer, admin]) expect(received.includes(secret.split(".")[1] ?? secret)).toBe(false);
  });

  it("learns who calls from a token for it alone, which expires in a minute", async () => {
    await call(system.url, order, bearer(customer));
    expect(system.calls.map(({ caller }) => caller)).toEqual([
      { kind: "user", userId: customerId, role: "CUSTOMER", sessionId: "session-1" },
    ]);
    const { iat = 0, exp = 0, aud, act } = decodeJwt(shown().token);
    expect({ aud, act, seconds: exp - iat }).toEqual({ aud: "order", act: { sub: "gateway" }, seconds: 60 });
  });

  /** The headers of the last call to OrderService. */
  function shown(): { token: string; gateway: string } {
    const headers = system.sent.at(-1)?.headers;
    const token = /^Bearer (.+)$/.exec(headers?.get("authorization") ?? "")?.[1] ?? "";
    return { token, gateway: headers?.get(serviceTokenHeader) ?? "" };
  }

  it.each([
    ["a call", order],
    ["a stream", "/rialto.order.v1.OrderService/WatchOrder"],
  ])("can do nothing with the tokens of %s, at the gateway and at every other service", async (_, path) => {
    await call(system.url, path, bearer(admin));
    const { token, gateway } = shown();
    // Both tokens are valid at their audience, so what follows is refused for the audience alone.
    const both = { [serviceTokenHeader]: gateway, ...bearer(token), [clientAddressHeader]: "192.0.2.1" };
    expect((await call(system.direct("order"), order, both)).status).toBe(200);
    expect((await call(system.url, users, bearer(admin), {})).status).toBe(200);

    expect(await call(system.url, users, bearer(token), {})).toMatchObject({ status: 401, text: invalid });
    expect((await call(system.url, users, both, {})).status).toBe(401);
    expect((await call(system.url, order, bearer(token))).status).toBe(401);
    expect((await fetch(`${system.url}/api/orders/${orderId}`, { headers: bearer(token) })).status).toBe(401);
    const own = { [serviceTokenHeader]: await system.serviceToken("order", "user") };
    for (const headers of [both, { ...own, ...bearer(token) }, bearer(token), { [serviceTokenHeader]: gateway }]) {
      const { status } = await call(system.direct("user"), users, headers, {});
      expect([401, 403]).toContain(status);
    }
    for (const service of ["user", "product", "payment", "notification"]) {
      const [method] = contractServices
        .flatMap(({ methods }) => methods)
        .filter((method) => upstreamNameOf(method) === service && isPublished(method));
      const { text } = await call(system.direct(service), method === undefined ? "" : procedureOf(method), both, {});
      expect(text).toEqual(invalid);
    }
  });

  it("cannot name a person to another, whatever it signs", async () => {
    const own = await system.serviceToken("order", "user");
    for (const token of [own, customer, admin, await system.serviceToken("order", "order")]) {
      const { status } = await call(system.direct("user"), users, { [serviceTokenHeader]: own, ...bearer(token) }, {});
      expect(status).toBe(403);
      expect((await call(system.direct("user"), users, bearer(token), {})).status).toBe(401);
    }
  });
});

describe("a roll-out", () => {
  const opened: StubSystem[] = [];
  afterEach(async () => {
    for (const system of opened.splice(0)) await system.close();
  });
  async function start(...o: Parameters<typeof startStubSystem>): Promise<StubSystem> {
    const system = await startStubSystem(...o);
    opened.push(system);
    return system;
  }

  it("with gateways of 0.1 before new services serves people: they pass access tokens on", async () => {
    const system = await start({}, { overNetwork: true });
    const gateway = { [serviceTokenHeader]: await system.serviceToken("gateway", "order") };
    const passedOn = { ...gateway, [clientAddressHeader]: "192.0.2.1", ...bearer(await system.token("CUSTOMER")) };
    expect((await call(system.direct("order"), order, passedOn)).status).toBe(200);
    expect(system.calls.at(-1)?.caller).toMatchObject({ kind: "user", userId: customerId });
  });

  it("with new gateways before services of 0.1 serves people, at old and new replicas, until the user service says that it is over", async () => {
    let isOver = false;
    const old = new Set(["order"]);
    const system = await start({}, { overNetwork: true, old, gateway: { passesAccessTokens: () => !isOver } });
    const [customer, admin] = [await system.token("CUSTOMER"), await system.token("ADMIN")];
    const served = async () => [
      (await call(system.url, order, bearer(customer))).status,
      (await call(system.url, users, bearer(admin), {})).status,
    ];
    expect(await served()).toEqual([200, 200]);
    isOver = true;
    // A service of 0.1 that still runs gets no token that it understands. It refuses the call, and does not treat the
    // person as anonymous.
    expect(await served()).toEqual([401, 200]);
    expect(system.sent.slice(-2).map(({ headers }) => headers.get("authorization"))).not.toContain(
      bearer(customer).authorization,
    );
  });
});

describe.each([
  ["own tokens", false],
  ["access tokens, while services of 0.1 may run", true],
] as const)("a gateway that passes on %s", (_, passesAccessTokens) => {
  it("names the calling admin to every service that it calls", async () => {
    const gateway = { passesAccessTokens: () => passesAccessTokens };
    const system = await startStubSystem({}, { overNetwork: true, asksServices: true, gateway });
    try {
      const admin = await system.token("ADMIN");
      const lists = ["events.v1.DeadLetterService/ListDeadLetters", "audit.v1.AuditService/ListAuditEntries"];
      for (const list of lists) {
        system.sent.length = 0;
        const { status, text } = await call(system.url, `/rialto.${list}`, bearer(admin), {});
        expect({ status, answer: JSON.parse(text) }).toMatchObject({
          status: 200,
          answer: { unreachableServices: [] },
        });
        const received = system.sent.map(({ service, headers }) => {
          const token = headers.get("authorization")?.slice("Bearer ".length) ?? "";
          return [service, token === admin ? "the access token" : decodeJwt(token).aud];
        });
        const services = ["user", "product", "order", "payment", "notification"];
        const wanted = services.map((service) => [service, passesAccessTokens ? "the access token" : service]);
        expect(received.sort()).toEqual(wanted.sort());
      }
    } finally {
      await system.close();
    }
  });
});

describe("a query that is no text of a URL", () => {
  it("is encoded on its way to the service, and its fragment stays behind", async () => {
    const system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) }, { overNetwork: true });
    const session = connect(system.url);
    try {
      const token = await system.token("CUSTOMER");
      const message = encodeURIComponent(JSON.stringify({ id: orderId }));
      for (const rest of ["&x=\u00e9", '&x="<>', "#a", "&x=\u00ff#\u00ff"]) {
        const path = `${order}?encoding=json&message=${message}&connect=v1${rest}`;
        const stream = session.request({ ":path": path, ...bearer(token) });
        let text = "";
        stream.setEncoding("utf8").on("data", (part) => {
          text += part;
        });
        const [headers] = await once(stream, "response");
        await once(stream, "end");
        expect([rest, headers[":status"], JSON.parse(text)]).toMatchObject([rest, 200, { order: { id: orderId } }]);
      }
    } finally {
      session.destroy();
      await system.close();
    }
  });
});
