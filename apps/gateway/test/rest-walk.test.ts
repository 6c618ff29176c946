import { accessOf } from "@rialto/rpc";
import { readRefusal, restRequests, type WireRequest } from "@rialto/testing/requests";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contractServices, isPublished } from "../src/contract.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

const methods = contractServices
  .filter(({ typeName }) => !typeName.startsWith("rialto.events."))
  .flatMap(({ methods }) => methods)
  .filter(isPublished)
  .map((method) => [`${method.parent.name}.${method.name}`, method] as const);

const refusalBytesMax = 8 * 1024;
const detailBytesMax = 3 * 1024;

let system: StubSystem;

const places = [
  ["in the gateway's process", false],
  ["in another process", true],
] as const;

async function send({ httpMethod, path, headers, body }: WireRequest, authorization: string) {
  const response = await fetch(`${system.url}${path}`, {
    method: httpMethod,
    headers: { ...headers, authorization },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const answer = { status: response.status, headers: [...response.headers], body: bytes };
  return { status: response.status, refusal: readRefusal("REST", answer) };
}

describe.each(places)("hostile values over REST, for a service %s,", (_place, overNetwork) => {
  beforeAll(async () => {
    system = await startStubSystem({}, { overNetwork });
  });
  afterAll(() => system.close());

  it.each(methods)("are refused by %s as the caller's mistake, in few bytes", async (_name, method) => {
    const role = accessOf(method)?.roles.includes("CUSTOMER") ? "CUSTOMER" : "ADMIN";
    const authorization = `Bearer ${await system.token(role)}`;
    const wrong: unknown[] = [];
    for (const request of restRequests(method)) {
      const { status, refusal } = await send(request, authorization);
      const { violations = [], detailBytes = 0, bytes = 0 } = refusal ?? {};
      const isOurs = [200, 400, 413, 414].includes(status);
      const isBounded = violations.length <= 20 && detailBytes <= detailBytesMax && bytes < refusalBytesMax;
      if (!isOurs || !isBounded)
        wrong.push({ name: request.name, status, violations: violations.length, detailBytes, bytes });
    }
    expect(wrong).toEqual([]);
  });

  it("reach no handler if a mask names what is below a field", async () => {
    const authorization = `Bearer ${await system.token("ADMIN")}`;
    const headers = { "content-type": "application/json", authorization };
    for (const path of [
      "/api/products/01900000-0000-7000-8000-000000000001?updateMask=price.minorUnits",
      "/api/users/01900000-0000-7000-8000-000000000001?updateMask=name.first",
    ]) {
      const response = await fetch(`${system.url}${path}`, { method: "PATCH", headers, body: '{"name":"Ada"}' });
      const { details } = (await response.json()) as { details: { fieldViolations?: unknown[] }[] };
      const fields = details.flatMap((detail) => detail.fieldViolations ?? []);
      expect([response.status, fields]).toMatchObject([400, [{ field: "update_mask", reason: "FIELD_MASK_IN" }]]);
    }
  });
});
