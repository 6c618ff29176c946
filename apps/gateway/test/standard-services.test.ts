import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { health, reflection, reflectionAlpha } from "@rialto/contracts/grpc";
import { openRateLimits } from "@rialto/service";
import { afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

const ServingStatus = health.HealthCheckResponse_ServingStatus;

describe.each([
  ["in the gateway's process", false],
  ["in another process", true],
])("health of services %s", (_place, overNetwork) => {
  it("is known of the gateway and of each service, and of no other", async () => {
    system = await startStubSystem({}, { overNetwork });
    const client = createClient(health.Health, createGrpcTransport({ baseUrl: system.url }));
    const statusOf = async (service: string) => (await client.check({ service })).status;
    expect(await statusOf("")).toBe(ServingStatus.SERVING);
    expect(await statusOf("rialto.order.v1.OrderService")).toBe(ServingStatus.SERVING);
    const unknown = await statusOf("rialto.order.v1.Nothing").catch((error) => ConnectError.from(error).code);
    expect(unknown).toBe(Code.NotFound);
    expect(Object.keys((await client.list({})).statuses)).toContain("rialto.user.v1.UserService");
  });
});

describe("the health of a service that goes down", () => {
  it("is NOT_SERVING, and is sent to its watchers", async () => {
    system = await startStubSystem({}, { overNetwork: true });
    const client = createClient(health.Health, createGrpcTransport({ baseUrl: system.url }));
    const seen: number[] = [];
    for await (const { status } of client.watch({ service: "rialto.order.v1.OrderService" })) {
      seen.push(status);
      if (seen.length === 2) break;
      void system.stopServices();
    }
    expect(seen).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  });
});

describe("health with many watchers", () => {
  const watched = "rialto.order.v1.OrderService";
  let leave: AbortController;

  /** Opens this many watches, and waits for the first message of each. */
  async function watch(times: number): Promise<(number | undefined)[]> {
    leave = new AbortController();
    const client = createClient(health.Health, createGrpcTransport({ baseUrl: system.url }));
    const watches = Array.from({ length: times }, async () => {
      const words = client.watch({ service: watched }, { signal: leave.signal })[Symbol.asyncIterator]();
      const first = await words.next();
      return first.done === true ? undefined : first.value.status;
    });
    return Promise.all(watches);
  }

  it("holds no place that calls need, only one of its caller's streams", async () => {
    system = await startStubSystem({}, { gateway: { inFlightMax: 60 } });
    expect(new Set(await watch(50))).toEqual(new Set([ServingStatus.SERVING]));
    const calls = Array.from({ length: 30 }, () => fetch(`${system.url}/api/products`));
    expect(new Set((await Promise.all(calls)).map(({ status }) => status))).toEqual(new Set([200]));
    const oneMore = await watch(1).catch((error) => ConnectError.from(error).code);
    expect(oneMore).toBe(Code.ResourceExhausted);
    leave.abort();
  });

  it("calls the service no more often than one watcher would", async () => {
    system = await startStubSystem();
    await watch(40);
    expect(system.requested.filter((path) => path === "/grpc.health.v1.Health/Check").length).toBeLessThan(20);
    leave.abort();
  });
});

describe("a gateway at its capacity", () => {
  it("answers health, and refuses reflection", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const slow = async () => {
      begun.resolve();
      await go.promise;
      return {};
    };
    system = await startStubSystem({ getOrder: slow }, { gateway: { inFlightMax: 1 } });
    const headers = { authorization: `Bearer ${await system.token("CUSTOMER")}` };
    const atWork = fetch(`${system.url}/api/orders/${orderId}`, { headers });
    await begun.promise;
    const transport = createGrpcTransport({ baseUrl: system.url });
    async function* questions() {
      yield { messageRequest: { case: "listServices", value: "" } } as const;
    }
    const read = async () => {
      for await (const _ of createClient(reflection.ServerReflection, transport).serverReflectionInfo(questions()));
    };
    expect(await read().catch((error) => ConnectError.from(error).code)).toBe(Code.Unavailable);
    expect((await createClient(health.Health, transport).check({})).status).toBe(ServingStatus.SERVING);
    go.resolve();
    await atWork;
  });
});

describe.each([
  ["v1", reflection.ServerReflection],
  ["v1alpha", reflectionAlpha.ServerReflection],
])("reflection %s", (_version, service) => {
  async function ask(messageRequest: {
    case: string;
    value: unknown;
  }): Promise<{ case?: string | undefined; value?: unknown }> {
    const client = createClient(service, createGrpcTransport({ baseUrl: system.url }));
    async function* questions() {
      yield { messageRequest } as never;
    }
    for await (const answer of client.serverReflectionInfo(questions())) return answer.messageResponse;
    throw new Error("no answer");
  }

  function filesIn(answer: { value?: unknown }) {
    const { fileDescriptorProto } = answer.value as { fileDescriptorProto: Uint8Array[] };
    return fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  }

  it("lists what is published, itself among it", async () => {
    system = await startStubSystem();
    const answer = await ask({ case: "listServices", value: "" });
    const names = (answer.value as { service: { name: string }[] }).service.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["rialto.order.v1.OrderService", service.typeName]));
    expect(names).not.toContain("rialto.events.v1.RegistrationService");
  });

  it("returns complete files, without internal methods", async () => {
    system = await startStubSystem();
    const files = filesIn(await ask({ case: "fileContainingSymbol", value: "rialto.product.v1.InventoryService" }));
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files }));
    const methods = registry.getService("rialto.product.v1.InventoryService")?.methods.map(({ name }) => name);
    expect(methods).toEqual(expect.arrayContaining(["AdjustStock", "GetStock"]));
    expect(methods).not.toContain("ReserveStock");
  });

  it("answers by file, by method, and by extension", async () => {
    system = await startStubSystem();
    const name = "rialto/order/v1/order_service.proto";
    expect(filesIn(await ask({ case: "fileByFilename", value: name })).at(-1)?.name).toBe(name);
    const byMethod = await ask({ case: "fileContainingSymbol", value: "rialto.order.v1.OrderService.GetOrder" });
    expect(filesIn(byMethod).at(-1)?.name).toBe(name);
    const extension = { containingType: "google.protobuf.MethodOptions", extensionNumber: 50101 };
    const byExtension = await ask({ case: "fileContainingExtension", value: extension });
    expect(filesIn(byExtension).at(-1)?.name).toBe("rialto/auth/v1/access.proto");
    const numbers = await ask({ case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" });
    expect((numbers.value as { extensionNumber: number[] }).extensionNumber).toContain(50101);
    const unknown = await ask({
      case: "fileContainingSymbol",
      value: "rialto.product.v1.InventoryService.ReserveStock",
    });
    expect(unknown).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});

describe("a stream of reflection", () => {
  /**
   * Sends this many requests on one stream. Returns how many responses arrived, how many bytes of files, and the code
   * that ended it.
   */
  async function ask(times: number) {
    const client = createClient(reflection.ServerReflection, createGrpcTransport({ baseUrl: system.url }));
    async function* questions() {
      const value = "rialto.order.v1.OrderService";
      for (let n = 0; n < times; n += 1) yield { messageRequest: { case: "fileContainingSymbol", value } } as const;
    }
    const files: number[] = [];
    try {
      for await (const { messageResponse } of client.serverReflectionInfo(questions()))
        if (messageResponse.case === "fileDescriptorResponse")
          files.push(messageResponse.value.fileDescriptorProto.length);
      return { files, code: undefined };
    } catch (error) {
      return { files, code: ConnectError.from(error).code };
    }
  }

  it("carries a hundred requests at most, and returns each shared file once", async () => {
    system = await startStubSystem();
    const { files, code } = await ask(101);
    expect([files.length, code]).toEqual([100, Code.ResourceExhausted]);
    expect(files[0]).toBeGreaterThan(5);
    expect(new Set(files.slice(1))).toEqual(new Set([1]));
  });

  it("counts each of its requests against its caller", async () => {
    const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
    system = await startStubSystem({}, { gateway: { requestLimits: { store, requests: 10, windowSeconds: 900 } } });
    const { files, code } = await ask(50);
    expect([files.length, code]).toEqual([10, Code.ResourceExhausted]);
    expect((await fetch(`${system.url}/api/products`)).status).toBe(429);
    await store.close();
  });
});

describe("a gateway without reflection", () => {
  it("has no such method, and still answers health", async () => {
    system = await startStubSystem({}, { reflection: false });
    const transport = createGrpcTransport({ baseUrl: system.url });
    async function* questions() {
      yield { messageRequest: { case: "listServices", value: "" } } as const;
    }
    const read = async () => {
      for await (const _ of createClient(reflection.ServerReflection, transport).serverReflectionInfo(questions()));
    };
    expect(await read().catch((error) => ConnectError.from(error).code)).toBe(Code.Unimplemented);
    expect((await createClient(health.Health, transport).check({})).status).toBe(ServingStatus.SERVING);
  });
});
