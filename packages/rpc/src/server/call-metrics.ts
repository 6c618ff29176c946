import { type Histogram, type Metrics, rpcNames } from "@rialto/telemetry";
import type { ErrorCode } from "../errors/codes.ts";

/** Counts a call that ended, by its method and its code, and how long it took since `startedAt`. */
export type CountCall = (method: string, code: ErrorCode | "ok", startedAt: Date) => void;

/** Creates the count of the calls that a service answers. A call costs two look-ups and no object. */
export function createCallCount(metrics: Metrics): CountCall {
  const family = metrics.histogram({
    name: "rpc.server.call.duration",
    unit: "s",
    description: "How long calls took at the service that answers them, by method and code",
  });
  const byMethod = new Map<string, Map<string, Histogram>>();
  return (method, code, startedAt) => {
    let byCode = byMethod.get(method);
    if (byCode === undefined) {
      byCode = new Map();
      byMethod.set(method, byCode);
    }
    let series = byCode.get(code);
    if (series === undefined) {
      series = family.with({ [rpcNames.method]: method, [rpcNames.status]: code });
      byCode.set(code, series);
    }
    series.record((Date.now() - +startedAt) / 1_000);
  };
}
