import type { Credentials } from "../load/rpc-load.ts";
import { baselineServer, connectBare, connectGo, type Wire } from "../subjects/rpc.ts";
import type { Bench } from "../subjects/subject.ts";
import { type Row, withBefore } from "./row.ts";

/**
 * Unary Connect over HTTP/1.1: `packages/connect` alone beside raw node:http that parses as it does, and stock
 * connect-node beside that too. JSON is also beside raw node:http without the contract.
 */
export const rpcBareRows: readonly Row[] = (["connect-json", "connect-binary"] as const).map((wire) => ({
  name: wire,
  comparisons: (bench) =>
    withBefore(bench, (at) => [
      { subject: connectBare(wire, at), baseline: raw(wire, bench), atLeast: 0.8 },
      ...(wire === "connect-json"
        ? [{ subject: connectBare(wire, at), baseline: raw(wire, bench, { isPlain: true }) }]
        : []),
      { subject: stock(wire, bench), baseline: raw(wire, bench) },
      { subject: connectBare(wire, at), baseline: connectGo(wire, bench) },
    ]),
}));

/** Unary gRPC over h2c under a compiled client: `packages/connect` alone beside grpc-js, and what else there is. */
export const grpcBareRow: Row = {
  name: "grpc",
  comparisons: (bench) =>
    withBefore(bench, (at) => [
      { subject: connectBare("grpc", at), baseline: grpcJs(bench), atLeast: 0.9 },
      { subject: stock("grpc", bench), baseline: grpcJs(bench) },
      {
        subject: connectBare("grpc", at),
        baseline: baselineServer({ name: "NestJS on gRPC", script: "nest-grpc.js", wire: "grpc", bench }),
      },
      { subject: connectBare("grpc", at), baseline: connectGo("grpc", bench) },
    ]),
};

/** How raw node:http is told to do the same work as what it stands beside. */
export interface RawOptions {
  /** JSON.parse and JSON.stringify, where the others parse and write by the contract. */
  readonly isPlain?: boolean;
  /** As a Rialto service: gets its requests, answers its fields and headers, and writes an access log. */
  readonly isService?: boolean;
}

/** Raw node:http with the limits and the check of an id that ours has. */
export function raw(wire: Wire, bench: Bench, o: RawOptions = {}) {
  return baselineServer({
    name: `raw node:http${o.isService === true ? ", logged" : ""}${o.isPlain === true ? ", plain JSON" : ""}`,
    script: "raw-http.js",
    wire,
    bench,
    credentials: o.isService === true ? "gateway" : "none",
    env: {
      ...(o.isPlain === true ? {} : { BENCH_PARSING: "protobuf" }),
      ...(o.isService === true ? { BENCH_LIKE: "service", BENCH_ACCESS_LOG: "1" } : {}),
    },
  });
}

function stock(wire: Wire, bench: Bench) {
  const env = wire === "grpc" ? { env: { BENCH_HTTP2: "1" } } : {};
  return baselineServer({ name: "stock connect-node", script: "stock-connect.js", wire, bench, ...env });
}

/** grpc-js. It checks no token, and gets the requests of these credentials. */
export function grpcJs(bench: Bench, credentials: Credentials = "none") {
  return baselineServer({ name: "grpc-js", script: "grpc-js-server.js", wire: "grpc", bench, credentials });
}
