import { rialtoService } from "../subjects/rpc.ts";
import { type Row, withBefore } from "./row.ts";
import { grpcJs, raw } from "./rpc-bare.ts";

/**
 * A unary call of a Rialto service, with token, policy, deadline, validation and log line, beside raw node:http that
 * gets the same requests, parses as it does, and writes an access log; and the same service on stock connect-node
 * beside that too. JSON is also beside raw node:http without the contract.
 */
export const rpcServiceRows: readonly Row[] = [
  ...(["connect-json", "connect-binary"] as const).map((wire) => ({
    name: `service-${wire.slice("connect-".length)}`,
    comparisons: (bench: Parameters<NonNullable<Row["comparisons"]>>[0]) =>
      withBefore(bench, (at) => [
        { subject: rialtoService(wire, at), baseline: raw(wire, bench, { isService: true }), atLeast: 0.5 },
        ...(wire === "connect-json"
          ? [{ subject: rialtoService(wire, at), baseline: raw(wire, bench, { isService: true, isPlain: true }) }]
          : []),
        {
          subject: rialtoService(wire, bench, { isOnStock: true }),
          baseline: raw(wire, bench, { isService: true }),
        },
      ]),
  })),
  {
    name: "service-grpc",
    comparisons: (bench) =>
      withBefore(bench, (at) => [{ subject: rialtoService("grpc", at), baseline: grpcJs(bench, "gateway") }]),
  },
];
