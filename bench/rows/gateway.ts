import { direct, gateway, nginx } from "../subjects/proxy.ts";
import { type Row, withBefore } from "./row.ts";

/** One Connect call through the gateway, beside nginx in its place, and beside no proxy at all. */
export const gatewayRow: Row = {
  name: "gateway",
  comparisons: (bench) =>
    withBefore(bench, (at) => [
      { subject: gateway(at), baseline: nginx(bench), atLeast: 0.4 },
      { subject: gateway(at), baseline: direct(bench) },
    ]),
};
