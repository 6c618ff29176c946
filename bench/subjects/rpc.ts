import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Credentials, connectLoad, drivenLoad, grpcLoad } from "../load/rpc-load.ts";
import { type LoadOf, type Program, script, serverSubject } from "./server.ts";
import type { Bench, Subject } from "./subject.ts";

/** A protocol, and how it is put under load. */
export type Wire = "connect-json" | "connect-binary" | "grpc";

const keysOf: Program["env"] = ({ bench }) => ({ BENCH_KEYS: JSON.stringify(bench.keys) });

function loadOf(wire: Wire, credentials: Credentials = "none"): LoadOf {
  if (wire === "grpc") return grpcLoad(credentials);
  return connectLoad(wire === "connect-json" ? "json" : "binary", credentials);
}

function toolOf(wire: Wire, { tools }: Bench): string | undefined {
  if (wire === "grpc") return tools.grpcClient === undefined ? "go (for the compiled gRPC client)" : undefined;
  return tools.wrk === undefined ? "wrk" : undefined;
}

/** `packages/connect` alone, in the checkout that is measured. */
export function connectBare(wire: Wire, bench: Bench): Subject {
  const isThere = existsSync(join(bench.root, "packages/connect"));
  return serverSubject({
    name: "packages/connect",
    missing: isThere ? toolOf(wire, bench) : "packages/connect (this checkout has none)",
    programs: [script("programs/connect-bare.ts")],
    load: loadOf(wire),
  });
}

/** A service of Rialto: token, policy, deadline, validation and log line; its calls by our fast path, or by stock's. */
export function rialtoService(wire: Wire, bench: Bench, o: { readonly isOnStock?: boolean } = {}): Subject {
  const env: Program["env"] = (at) => ({
    ...keysOf?.(at),
    ...(o.isOnStock === true ? { RIALTO_TEST_UNARY_PATH: "stock" } : {}),
  });
  return serverSubject({
    name: o.isOnStock === true ? "Rialto service on connect-node" : "Rialto service",
    missing: toolOf(wire, bench),
    programs: [script("programs/rialto-service.ts", { env })],
    load: loadOf(wire, "gateway"),
  });
}

/** A server of `baselines/`. */
export function baselineServer(o: {
  readonly name: string;
  readonly script: string;
  readonly wire: Wire;
  readonly bench: Bench;
  readonly env?: Readonly<Record<string, string>>;
  /** Whose requests it gets, though it checks no token. */
  readonly credentials?: Credentials;
}): Subject {
  const { env } = o;
  return serverSubject({
    name: o.name,
    missing: o.bench.tools.baselines ? toolOf(o.wire, o.bench) : "the baselines' packages",
    programs: [script(`baselines/${o.script}`, env === undefined ? {} : { env: () => env })],
    load: loadOf(o.wire, o.credentials),
  });
}

/** connect-go. */
export function connectGo(wire: Wire, bench: Bench): Subject {
  const command = bench.tools.connectGo;
  return serverSubject({
    name: "connect-go",
    missing: command === undefined ? "go" : toolOf(wire, bench),
    programs: [{ name: "connect-go", command, args: ({ port }) => [`${port}`] }],
    load: loadOf(wire),
  });
}

/** A client and a server in two processes, both counted. The client is told where the server is. */
export function pair(o: {
  readonly name: string;
  readonly server: string;
  readonly client: string;
  readonly protocol?: "connect" | "grpc";
  readonly missing?: string | undefined;
}): Subject {
  const env: Program["env"] = (at) => ({
    ...keysOf?.(at),
    BENCH_PROTOCOL: o.protocol ?? "connect",
    BENCH_UPSTREAM: `http://127.0.0.1:${at.portOf("server")}`,
  });
  return serverSubject({
    name: o.name,
    missing: o.missing,
    programs: [script(o.server, { name: "server", env: keysOf }), script(o.client, { name: "client", env })],
    load: drivenLoad,
  });
}

/** Calls within one process. */
export function inProcess(o: {
  readonly name: string;
  readonly script: string;
  readonly missing?: string | undefined;
}): Subject {
  return serverSubject({
    name: o.name,
    missing: o.missing,
    programs: [script(o.script, { env: keysOf })],
    load: drivenLoad,
  });
}
