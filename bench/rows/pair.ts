import { existsSync } from "node:fs";
import { join } from "node:path";
import { pair } from "../subjects/rpc.ts";
import type { Bench } from "../subjects/subject.ts";
import { type Row, withBefore } from "./row.ts";

/** Client and server in two Node processes, both counted: ours without and with the pipeline, beside grpc-js' pair. */
export const pairRows: readonly Row[] = [
  {
    name: "pair",
    comparisons: (bench) =>
      withBefore(bench, (at) => [
        { subject: bare(at, "connect"), baseline: grpcJsPair(bench), atLeast: 2 },
        { subject: bare(at, "grpc"), baseline: grpcJsPair(bench) },
        { subject: bare(at, "connect"), baseline: nestPair(bench) },
      ]),
  },
  {
    name: "pair-service",
    comparisons: (bench) => withBefore(bench, (at) => [{ subject: ofService(), baseline: grpcJsPair(at), atLeast: 1 }]),
  },
];

function bare({ root }: Bench, protocol: "connect" | "grpc") {
  const isThere = existsSync(join(root, "packages/connect/src/client"));
  return pair({
    name: protocol === "grpc" ? "packages/connect, pair by gRPC" : "packages/connect, pair",
    protocol,
    missing: isThere ? undefined : "createTransport (packages/connect of this checkout has none)",
    server: "programs/connect-bare.ts",
    client: "programs/connect-client.ts",
  });
}

function ofService() {
  return pair({
    name: "Rialto service, pair",
    server: "programs/rialto-service.ts",
    client: "programs/rialto-client.ts",
  });
}

function grpcJsPair(bench: Bench) {
  return baselinePair("grpc-js, pair", "grpc-js-server.js", bench);
}

function nestPair(bench: Bench) {
  return baselinePair("NestJS, pair", "nest-grpc.js", bench);
}

/** Nest's client of gRPC is grpc-js' with observables around it: both pairs have the one of grpc-js. */
function baselinePair(name: string, server: string, { tools }: Bench) {
  return pair({
    name,
    missing: tools.baselines ? undefined : "the baselines' packages",
    server: `baselines/${server}`,
    client: "baselines/grpc-js-client.js",
  });
}
