import {
  type DescMethod,
  type DescService,
  fromBinary,
  fromJsonString,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
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
  backgroundContext,
  CallError,
  type Caller,
  clientAddressHeader,
  createEndpoint,
  createUnaryCall,
  decideAccess,
  type Endpoint,
  type Handlers,
  serve,
  serviceTokenHeader,
  type UserId,
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
const userId = "0197f000-0000-7000-8000-000000000001";

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

/** Who may call a method: a service, or an admin or customer through the gateway. */
function callerOf(method: DescMethod) {
  const policy = accessOf(method);
  const [role] = policy?.roles.toReversed() ?? [];
  if (role !== undefined) return { name: "gateway", role } as const;
  const known = ["order", "notification", "gateway"] as const;
  const name = known.find((one) => decideAccess(policy, { kind: "service", name: one }) === "allow");
  if (name === undefined) throw new Error(`nobody may call ${method.name}`);
  return { name, role: undefined };
}

/** What the caller of a method shows over the network. */
async function shownFor(method: DescMethod): Promise<Record<string, string>> {
  const { name, role } = callerOf(method);
  if (role !== undefined) {
    const token = role === "CUSTOMER" ? people.customer : people.admin;
    return {
      [serviceTokenHeader]: await people.gateway.for("order"),
      [clientAddressHeader]: "192.0.2.1",
      ...(role === "PUBLIC" ? {} : { authorization: `Bearer ${token}` }),
    };
  }
  return { [serviceTokenHeader]: await people[name].for("order") };
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

/** What comes of a call in one process: the code, and the fields that are named. */
async function resultInProcess(method: DescMethod, request: Message) {
  const { name, role } = callerOf(method);
  const sessionId = "session-1";
  const isPerson = role === "ADMIN" || role === "CUSTOMER";
  const person: Caller | undefined = isPerson ? { kind: "user", userId: userId as UserId, role, sessionId } : undefined;
  const call = createUnaryCall(
    { kind: "local", endpoint: () => endpoint },
    { caller: name, target: "order", tokens: people[name] },
  );
  const context = {
    ...backgroundContext({}),
    ...(role !== undefined && { clientAddress: "192.0.2.1" }),
    ...(person !== undefined && { caller: person }),
  };
  const error = await call(method, request, context).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return { code: "ok", fields: [] };
  if (!(error instanceof CallError)) throw error;
  return { code: error.code, fields: error.fields.map(({ field }) => field) };
}

/** The message as its receiver would decode it; undefined where it would not. */
function decodedOf(method: DescMethod, format: "json" | "proto", bytes: Uint8Array): Message | undefined {
  const size = requestSizeOf(method);
  const scan = format === "json" ? scanJson : scanBinary;
  if (bytes.length > size.bytes || scan(method.input, bytes, size).violation !== undefined) return undefined;
  try {
    return format === "json"
      ? fromJsonString(method.input, Buffer.from(bytes).toString())
      : fromBinary(method.input, bytes);
  } catch {
    return undefined;
  }
}

describe("a message that is meant to hurt, and can be decoded,", () => {
  const unary = methods.filter(([, { methodKind }]) => methodKind === "unary");

  it.each(unary)("is refused by %s in one process as over the network", async (_name, method) => {
    const shown = await shownFor(method);
    let compared = 0;
    for (const { name, format, bytes } of hostileRequests(method.input)) {
      const message = decodedOf(method, format, bytes);
      if (message === undefined) continue;
      const [first] = rpcRequests(method, { name, format, bytes });
      if (first === undefined) throw new Error("no request");
      const { refusal } = await send(first, shown);
      const { code = "ok", violations = [] } = refusal ?? {};
      const overNetwork = { code, fields: violations.map(({ field }) => field) };
      expect([name, await resultInProcess(method, message)]).toEqual([name, overNetwork]);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(0);
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
