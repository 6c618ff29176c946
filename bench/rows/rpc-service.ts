import { rialtoService } from "../subjects/rpc.ts";
import { type Row, withBefore } from "./row.ts";
import { grpcJs, raw } from "./rpc-bare.ts";

/**
 * A unary call of a Rialto service, with token, policy, deadline, validation and log line, beside raw node:http. Both
 * raw ones have to be met: the one that writes an access log, as ours does, and the one that does not.
 */
export const rpcServiceRows: readonly Row[] = [
  ...(["connect-json", "connect-binary"] as const).map((wire) => ({
    name: `service-${wire.slice("connect-".length)}`,
    comparisons: (bench: Parameters<NonNullable<Row["comparisons"]>>[0]) =>
      withBefore(bench, (at) => [
        { subject: rialtoService(wire, at), baseline: raw(wire, bench, { isLogged: true }), atLeast: 0.5 },
        { subject: rialtoService(wire, at), baseline: raw(wire, bench), atLeast: 0.5 },
      ]),
  })),
  {
    name: "service-grpc",
    comparisons: (bench) =>
      withBefore(bench, (at) => [{ subject: rialtoService("grpc", at), baseline: grpcJs(bench) }]),
  },
];
