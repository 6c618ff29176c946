import { type DescMethod, type DescService, toBinary } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { createLogger } from "@rialto/telemetry";
import {
  hostileRequests,
  largestRequest,
  readRefusal,
  rpcRequests,
  type WireRequest,
  wireRequests,
} from "@rialto/testing/requests";
import { beforeAll, describe, expect, it } from "vitest";
import { requestSizeOf } from "../src/bounds/request-size.ts";
import { scanBinary } from "../src/bounds/scan-binary.ts";
import { scanJson } from "../src/bounds/scan-json.ts";
import {
  accessOf,
  clientAddressHeader,
  createEndpoint,
  type Endpoint,
  type Handlers,
  serve,
  serviceTokenHeader,
} from "../src/index.ts";
import { createPeople, type People } from "./keys.ts";

const services = Object.values<unknown>(contracts).filter(
  (value): value is DescService =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "service",
);
const methods: readonly [string, DescMethod][] = services.flatMap((service) =>
  service.methods.map((method): [string, DescMethod] => [`${service.name}.${method.name}`, method]),
);

const refusalBytesMax = 8 * 1024;
const detailBytesMax = 3 * 1024;
const chunkBytes = 16 * 1024;

let people: People;
let endpoint: Endpoint;
let handled = 0;

beforeAll(async () => {
  people = await createPeople();
  endpoint = createEndpoint({
    service: "order",
    verifier: people.verifier,
    fingerprintKey: "secret",
    log: createLogger({ service: "order", level: "silent" }),
    routes: services.map((service) => serve(service, handlersOf(service))),
  });
});

/** Answers every method with nothing, and counts. */
function handlersOf(service: DescService): Handlers<DescService> {
  const handlers = service.methods.map((method) => [
    method.localName,
    method.methodKind === "unary"
      ? async () => {
          handled += 1;
          return {};
        }
      : async function* () {
          handled += 1;
          yield {};
        },
  ]);
  return Object.fromEntries(handlers);
}

/** What the caller shows who may call a method: a service, or an admin or customer through the gateway. */
async function shownFor(method: DescMethod): Promise<Record<string, string>> {
  const policy = accessOf(method);
  const [role] = policy?.roles.toReversed() ?? [];
  if (role !== undefined) {
    const token = role === "CUSTOMER" ? people.customer : people.admin;
    return {
      [serviceTokenHeader]: await people.gateway.for("order"),
      [clientAddressHeader]: "192.0.2.1",
      ...(role === "PUBLIC" ? {} : { authorization: `Bearer ${token}` }),
    };
  }
  const callers = { order: people.order, notification: people.notification, gateway: people.gateway };
  const name = policy?.services.find((one): one is keyof typeof callers => Object.hasOwn(callers, one));
  if (name === undefined) throw new Error(`nobody may call ${method.name}`);
  return { [serviceTokenHeader]: await callers[name].for("order") };
}

async function send(request: WireRequest, shown: Record<string, string>) {
  let bytesRead = 0;
  async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      bytesRead += chunk.length;
      yield chunk;
    }
  }
  const answer = await endpoint.handle({
    url: `http://test${request.path}`,
    method: request.httpMethod,
    header: new Headers({ ...request.headers, ...shown }),
    ...(request.body === undefined ? {} : { body: chunks(request.body) }),
  });
  const parts: Uint8Array[] = [];
  for await (const chunk of answer.body) parts.push(chunk);
  const headers = [...answer.header, ...answer.trailer];
  return {
    bytesRead,
    refusal: readRefusal(request.way, { status: answer.status, headers, body: Buffer.concat(parts) }),
  };
}

describe("what is meant to hurt", () => {
  it.each(methods)("costs %s little, over every protocol", async (_name, method) => {
    const shown = await shownFor(method);
    const size = requestSizeOf(method);
    const [seen, wrong] = [new Set<string>(), [] as unknown[]];
    for (const request of wireRequests(method)) {
      if (request.way === "REST") continue;
      seen.add(request.way);
      const { bytesRead, refusal } = await send(request, shown);
      const { code = "ok", violations = [], detailBytes = 0, bytes = 0 } = refusal ?? {};
      const isRefusal = refusal === undefined || ["invalid_argument", "3", "8"].includes(code);
      const isBounded = violations.length <= 20 && detailBytes <= detailBytesMax && bytes < refusalBytesMax;
      const isReadOnly = bytesRead <= size.bytes + chunkBytes + 64;
      if (!isRefusal || !isBounded || !isReadOnly)
        wrong.push({
          way: request.way,
          name: request.name,
          code,
          violations: violations.length,
          detailBytes,
          bytes,
          bytesRead,
        });
    }
    expect(wrong).toEqual([]);
    expect(seen.size).toBeGreaterThanOrEqual(3);
  });
});

describe("a message that is too much", () => {
  it.each(methods)("of %s is visited no further than to what is too much", (_name, method) => {
    const size = requestSizeOf(method);
    for (const { format, bytes } of hostileRequests(method.input)) {
      if (bytes.length > size.bytes) continue;
      const scan = format === "json" ? scanJson(method.input, bytes, size) : scanBinary(method.input, bytes, size);
      expect(scan.fields).toBeLessThanOrEqual(size.fields + 1);
      expect(scan.depth).toBeLessThanOrEqual(size.depth + 1);
    }
  });
});

describe("the largest valid request", () => {
  it.each(methods)("is taken by %s over every protocol, compressed and not", async (_name, method) => {
    const shown = await shownFor(method);
    const bytes = toBinary(method.input, largestRequest(method.input));
    for (const request of rpcRequests(method, { name: "the largest", format: "proto", bytes })) {
      handled = 0;
      const { refusal } = await send(request, shown);
      expect([request.way, refusal, handled]).toEqual([request.way, undefined, 1]);
    }
  });
});

describe("a field mask", () => {
  const masked = methods.flatMap(([name, method]) =>
    method.input.fields
      .filter(({ message }) => message?.typeName === "google.protobuf.FieldMask")
      .map((field): [string, DescMethod, string, string] => [name, method, field.name, field.jsonName]),
  );

  it("is part of the contract", () => {
    expect(masked.length).toBeGreaterThanOrEqual(2);
  });

  it.each(masked)(
    "of %s takes no path below a field, nor one that is none, over any protocol",
    async (_name, method, field, jsonName) => {
      const shown = await shownFor(method);
      for (const path of [
        "price.minorUnits",
        "name.first",
        "email.domain",
        "*",
        "nothing",
        "id",
        "Name",
        "name,price.currencyCode",
      ]) {
        const bytes = Buffer.from(JSON.stringify({ [jsonName]: path }));
        for (const request of rpcRequests(method, { name: path, format: "json", bytes })) {
          const { refusal } = await send(request, shown);
          expect([path, request.way, refusal?.violations]).toEqual([
            path,
            request.way,
            [{ field, reason: "FIELD_MASK_IN" }],
          ]);
        }
      }
    },
  );
});
