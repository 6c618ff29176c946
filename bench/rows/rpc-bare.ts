import { baselineServer, connectBare, connectGo, type Wire } from "../subjects/rpc.ts";
import type { Bench } from "../subjects/subject.ts";
import { type Row, withBefore } from "./row.ts";

/** Unary Connect over HTTP/1.1: `packages/connect` alone beside raw node:http, and stock connect-node beside it too. */
export const rpcBareRows: readonly Row[] = (["connect-json", "connect-binary"] as const).map((wire) => ({
  name: wire,
  comparisons: (bench) =>
    withBefore(bench, (at) => [
      { subject: connectBare(wire, at), baseline: raw(wire, bench), atLeast: 0.8 },
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

/** Raw node:http with the limits and the check of an id that ours has; with an access log where ours has one. */
export function raw(wire: Wire, bench: Bench, o: { readonly isLogged?: boolean } = {}) {
  return baselineServer({
    name: o.isLogged === true ? "raw node:http, logged" : "raw node:http",
    script: "raw-http.js",
    wire,
    bench,
    ...(o.isLogged === true ? { env: { BENCH_ACCESS_LOG: "1" } } : {}),
  });
}

function stock(wire: Wire, bench: Bench) {
  const env = wire === "grpc" ? { env: { BENCH_HTTP2: "1" } } : {};
  return baselineServer({ name: "stock connect-node", script: "stock-connect.js", wire, bench, ...env });
}

/** grpc-js. */
export function grpcJs(bench: Bench) {
  return baselineServer({ name: "grpc-js", script: "grpc-js-server.js", wire: "grpc", bench });
}
