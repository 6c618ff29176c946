import type { DescMessage, DescMethod, JsonObject } from "@bufbuild/protobuf";
import { accessOf } from "@rialto/rpc";
import { readRefusal, rpcRequests, type WireRequest } from "@rialto/testing/requests";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contractServices, isPublished } from "../src/contract.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
beforeAll(async () => {
  system = await startStubSystem();
});
afterAll(() => system.close());

interface EnumField {
  readonly path: string;
  /** The request in which only this field is set. */
  jsonWith(value: string): JsonObject;
}

/** Each field of an enum in a request. */
function enumsIn({ fields }: DescMessage): readonly EnumField[] {
  return fields.flatMap<EnumField>(({ name, jsonName, fieldKind, enum: own, message }) => {
    if (own !== undefined && fieldKind === "enum")
      return [{ path: name, jsonWith: (value: string) => ({ [jsonName]: value }) }];
    if (message === undefined || fieldKind !== "message" || message.typeName.startsWith("google.")) return [];
    return enumsIn(message).map(({ path, jsonWith }) => ({
      path: `${name}.${path}`,
      jsonWith: (value: string) => ({ [jsonName]: jsonWith(value) }),
    }));
  });
}

const fields = contractServices
  .flatMap(({ methods }) => methods)
  .filter(isPublished)
  .flatMap((method) => enumsIn(method.input).map(({ path, jsonWith }) => ({ method, path, jsonWith })))
  .map((one) => [`${one.path} of ${one.method.name}`, one] as const);

async function send(method: DescMethod, { way, httpMethod, path, headers, body }: WireRequest) {
  const role = accessOf(method)?.roles.includes("CUSTOMER") ? "CUSTOMER" : "ADMIN";
  const response = await fetch(`${system.url}${path}`, {
    method: httpMethod,
    headers: { ...headers, authorization: `Bearer ${await system.token(role)}` },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return readRefusal(way, { status: response.status, headers: [...response.headers], body: bytes });
}

describe("a name that an enum does not have", () => {
  it("can be given to more than one field", () => {
    expect(fields.map(([name]) => name)).toContain("status of ListOrders");
    expect(fields.map(([name]) => name)).toContain("user.role of UpdateUser");
  });

  it.each(fields)("is refused for %s over every protocol that is JSON, and the field is named", async (_name, one) => {
    const bytes = Buffer.from(JSON.stringify(one.jsonWith("NOPE")));
    const over: string[] = [];
    for (const request of rpcRequests(one.method, { name: "an unknown name", format: "json", bytes })) {
      // grpc+json is read by the same code as grpc-web+json; it needs HTTP/2.
      if (request.way === "gRPC") continue;
      const refusal = await send(one.method, request);
      expect([request.way, refusal?.violations]).toEqual([request.way, [{ field: one.path, reason: "REQUEST_ENUM" }]]);
      over.push(request.way);
    }
    expect(over).toContain("Connect JSON");
    expect(over).toContain("gRPC-Web");
  });

  it.each([
    ["a query", "GET", "/api/orders?status=NOPE", undefined, "status"],
    ["a body", "PATCH", "/api/users/01900000-0000-7000-8000-000000000001", '{"role":"NOPE"}', "user.role"],
  ])("is refused in %s of REST", async (_what, method, path, body, field) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${await system.token("ADMIN")}` };
    const response = await fetch(`${system.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    const { details } = JSON.parse(text) as { details: { fieldViolations?: unknown[] }[] };
    expect([response.status, details.flatMap((detail) => detail.fieldViolations ?? [])]).toMatchObject([
      400,
      [{ field, description: expect.stringMatching(/^must be one of /) }],
    ]);
    expect(text).not.toContain("NOPE");
  });
});
