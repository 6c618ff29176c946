import type { DescService } from "@bufbuild/protobuf";
import { AuditService, DeadLetterService, OrderService, SubscriptionService } from "@rialto/contracts";
import {
  type CallContext,
  createClient,
  createEndpoint,
  createPersonTokens,
  createServiceTokens,
  createTokenVerifier,
  createUpstream,
  type Endpoint,
  type Handlers,
  listen,
  serve,
  type Upstream,
} from "@rialto/rpc";
import { createLogger, type Tracing } from "@rialto/telemetry";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { contractServices } from "../src/contract.ts";
import { startGateway } from "../src/gateway.ts";
import type { GatewayOptions } from "../src/options.ts";

const serviceNames = ["user", "product", "order", "payment", "notification"];

export const customerId = "01900000-0000-7000-8000-000000000001";
export const orderId = "01900000-0000-7000-8000-00000000000a";

/**
 * A gateway in front of real endpoints, whose handlers the test provides. A method without a handler returns an empty
 * message.
 */
export interface StubSystem {
  readonly url: string;
  readonly lines: Record<string, unknown>[];
  /** The contexts of the calls that reached OrderService. */
  readonly calls: CallContext[];
  /** The paths that the gateway requested of services. */
  readonly requested: readonly string[];
  /** The headers of those requests. */
  readonly sent: { readonly service: string; readonly headers: Headers }[];
  token(role: "CUSTOMER" | "ADMIN", o?: { expires?: string; audience?: string; subject?: string }): Promise<string>;
  /** Tokens that look like the customer's and are invalid, by what is wrong with them. */
  badTokens(): Promise<Readonly<Record<string, string>>>;
  /** A service's own token for calls to another. */
  serviceToken(caller: string, target: string): Promise<string>;
  /** The address of a service, without the gateway, over the network. */
  direct(service: string): string;
  /** Stops the services, or those that are named, if they run over the network. */
  stopServices(...names: readonly string[]): Promise<void>;
  /** Starts the stopped services at their former addresses. */
  startServices(): Promise<void>;
  close(): Promise<void>;
}

export async function startStubSystem(
  orders: Partial<Handlers<typeof OrderService>> = {},
  o: {
    readonly overNetwork?: boolean;
    readonly reflection?: boolean;
    readonly gateway?: Partial<GatewayOptions>;
    /** Services that report that they are not ready, while they are in the set. */
    readonly unready?: ReadonlySet<string>;
    /** Services that accept only access tokens of people, as version 0.1.0 does. */
    readonly old?: ReadonlySet<string>;
    /** The gateway merges the services' events and audit entries. It has no such backends if left out. */
    readonly asksServices?: boolean;
    /** Makes the spans of the services and of the gateway. */
    readonly tracingOf?: (name: string) => Tracing | undefined;
  } = {},
): Promise<StubSystem> {
  const access = await newKey("access-1");
  const gatewayKey = await newKey("gateway");
  const serviceKeys = new Map<string, Awaited<ReturnType<typeof newKey>>>();
  for (const name of serviceNames) serviceKeys.set(name, await newKey(name));
  const verifier = createTokenVerifier({
    accessKeys: async () => ({ keys: [access.publicKey] }),
    serviceKeys: { keys: [gatewayKey, ...serviceKeys.values()].map(({ publicKey }) => publicKey) },
  });
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ service: "gateway", destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const quiet = createLogger({ service: "stub", level: "silent" });

  const calls: CallContext[] = [];
  const requested: string[] = [];
  const sent: StubSystem["sent"] = [];
  const endpoints = new Map<string, Endpoint>();
  for (const name of serviceNames) {
    // Every service serves its events and its audit log. The gateway alone serves traces: who may read them is asked at
    // an address that a test can reach.
    const services = contractServices.filter(({ typeName }) =>
      [name, "events", "audit", "trace"].includes(typeName.split(".")[1] ?? ""),
    );
    const routes = services.map((service) =>
      serve(service, handlersOf(service, service === OrderService ? orders : {}, calls)),
    );
    const readiness = async () => ({ isStopping: false, waiting: o.unready?.has(name) ? ["a test"] : [] });
    const ofName = o.old?.has(name) ? { ...verifier, user: (token: string) => verifier.user(token) } : verifier;
    const parts = {
      service: name,
      routes,
      verifier: ofName,
      fingerprintKey: "stub",
      log: quiet,
      tracing: o.tracingOf?.(name),
      reflection: true,
      readiness,
    };
    endpoints.set(name, createEndpoint(parts));
  }

  const servers = new Map<string, Awaited<ReturnType<typeof listen>>>();
  if (o.overNetwork) {
    for (const [name, endpoint] of endpoints) servers.set(name, await listen({ endpoint, port: 0, host: "127.0.0.1" }));
  }
  const upstreams = new Map<string, Upstream>();
  for (const [name, endpoint] of endpoints) {
    const server = servers.get(name);
    upstreams.set(
      name,
      createUpstream(
        server === undefined
          ? { kind: "local", endpoint: () => endpoint }
          : { kind: "remote", urls: [`http://127.0.0.1:${server.port}`] },
      ),
    );
  }
  const stopped = new Map<string, number>();
  const stopServices = async (...names: readonly string[]) => {
    for (const [name, server] of [...servers]) {
      if (names.length > 0 && !names.includes(name)) continue;
      servers.delete(name);
      stopped.set(name, server.port);
      await server.close();
    }
  };
  const startServices = async () => {
    for (const [name, port] of stopped) {
      const endpoint = endpoints.get(name);
      if (endpoint !== undefined) servers.set(name, await listen({ endpoint, port, host: "127.0.0.1" }));
    }
    stopped.clear();
  };

  const upstreamOf = (service: string): Upstream => {
    const upstream = upstreams.get(service);
    if (upstream === undefined) throw new Error(`no stub for ${service}`);
    return {
      ...upstream,
      fetch(request, options) {
        requested.push(new URL(request.url).pathname);
        sent.push({ service, headers: new Headers(request.header) });
        return upstream.fetch(request, options);
      },
      call(call, options) {
        requested.push(new URL(call.path, "http://upstream").pathname);
        const { fields } = call;
        sent.push({
          service,
          get headers() {
            // No field of such a call is a list.
            return new Headers(Object.entries(fields) as [string, string][]);
          },
        });
        return upstream.call(call, options);
      },
    };
  };
  const tokens = createServiceTokens({ name: "gateway", privateKey: gatewayKey.privateKey });
  const persons = createPersonTokens({ name: "gateway", privateKey: gatewayKey.privateKey });
  const backends = (o.asksServices ? serviceNames : []).map((service) => {
    const target = { kind: "remote", upstream: upstreamOf(service) } as const;
    const names = { caller: "gateway", target: service, tokens, persons };
    return {
      service,
      deadLetters: createClient(DeadLetterService, target, names),
      subscriptions: createClient(SubscriptionService, target, names),
      audit: createClient(AuditService, target, names),
    };
  });

  const gateway = await startGateway({
    port: 0,
    host: "127.0.0.1",
    reflection: o.reflection ?? true,
    verifier,
    tokens,
    persons,
    log,
    adminBackends: backends,
    // A machine that is busy with something else does not shed the load of a test that is about something else.
    eventLoopDelayMs: () => 0,
    tracing: o.tracingOf?.("gateway"),
    ...o.gateway,
    upstream: upstreamOf,
    target: (service) => {
      const endpoint = endpoints.get(service);
      if (o.overNetwork || endpoint === undefined) return { kind: "remote", upstream: upstreamOf(service) };
      return { kind: "local", endpoint: () => endpoint, checksMessages: true };
    },
  });
  return {
    url: `http://127.0.0.1:${gateway.port}`,
    lines,
    calls,
    requested,
    sent,
    stopServices,
    startServices,
    async close() {
      await gateway.close();
      for (const upstream of upstreams.values()) upstream.close();
      await stopServices();
    },
    badTokens: async () => {
      const claims = { sid: "session-1", role: "ADMIN", iss: "rialto", aud: "rialto", sub: customerId };
      const header = { alg: "EdDSA", kid: "access-1" };
      const sign = (more: object, o: { alg?: string; key?: Parameters<SignJWT["sign"]>[0]; expires?: string } = {}) =>
        new SignJWT({ ...claims, ...more })
          .setProtectedHeader({ ...header, alg: o.alg ?? "EdDSA" })
          .setIssuedAt()
          .setExpirationTime(o.expires ?? "15m")
          .sign(o.key ?? access.signingKey);
      const none = [
        { ...header, alg: "none" },
        { ...claims, iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 900 },
      ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
      return {
        forged: await sign({}, { key: (await newKey("access-1")).signingKey }),
        expired: await sign({}, { expires: "-1m" }),
        "for another audience": await sign({ aud: "elsewhere" }),
        "that lives for a day": await sign({}, { expires: "1d" }),
        "with alg none": `${none.join(".")}.`,
        "HS256 with the public key as secret": await sign(
          {},
          { alg: "HS256", key: Buffer.from(access.publicKey.x ?? "", "base64url") },
        ),
      };
    },
    serviceToken: async (caller, target) => {
      const key = caller === "gateway" ? gatewayKey : serviceKeys.get(caller);
      if (key === undefined) throw new Error(`no key of ${caller}`);
      return createServiceTokens({ name: caller, privateKey: key.privateKey }).for(target);
    },
    direct: (service) => {
      const server = servers.get(service);
      if (server === undefined) throw new Error(`${service} is not reached over the network`);
      return `http://127.0.0.1:${server.port}`;
    },
    token: (role, { expires = "15m", audience = "rialto", subject = customerId } = {}) =>
      new SignJWT({ sid: "session-1", role })
        .setProtectedHeader({ alg: "EdDSA", kid: "access-1" })
        .setIssuer("rialto")
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime(expires)
        .sign(access.signingKey),
  };
}

/** Wraps a message in the envelope of a Connect stream. */
export function envelope(message: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
}

/** Reads the envelopes of a Connect stream as they arrive. */
export async function* envelopes(body: AsyncIterable<Uint8Array>): AsyncGenerator<{ flags: number; message: unknown }> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of body) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      yield { flags: bytes[0] ?? 0, message: JSON.parse(bytes.subarray(5, end).toString()) };
      bytes = bytes.subarray(end);
    }
  }
}

function handlersOf<S extends DescService>(service: S, own: object, calls: CallContext[]): Handlers<S> {
  const handlers = service.methods.map((method) => {
    const given: unknown = Reflect.get(own, method.localName);
    const empty = method.methodKind === "unary" ? async () => ({}) : async function* () {};
    const handler = typeof given === "function" ? given : empty;
    const recorded = (request: unknown, ctx: CallContext) => {
      if (service.typeName === OrderService.typeName) calls.push(ctx);
      return handler(request, ctx);
    };
    return [method.localName, recorded];
  });
  // One handler for each method of the service, made from its own list.
  return Object.fromEntries(handlers) as Handlers<S>;
}

async function newKey(kid: string) {
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const [publicKey, privateKey] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  return {
    signingKey: pair.privateKey,
    publicKey: { ...publicKey, kid, alg: "EdDSA" },
    privateKey: { ...privateKey, kid, alg: "EdDSA" },
  };
}
