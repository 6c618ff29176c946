import { type Counter, type Histogram, httpNames, type Metrics } from "@rialto/telemetry";
import type { Exchange } from "./exchange.ts";

/** Counts the requests of the gateway. */
export interface RequestCounts {
  /** Counts a request when its response is complete or its client has gone. */
  countWhenDone(exchange: Exchange, startedAt: number): void;
  /** Counts a request that was refused because of the load. */
  readonly shed: Counter;
}

/** Methods that HTTP defines and clients send. Any other word is one series. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Creates the counts, by route template, method and status: none of the three is the client's own text. */
export function createRequestCounts(metrics: Metrics): RequestCounts {
  const family = metrics.histogram({
    name: "http.server.request.duration",
    unit: "s",
    description: "How long requests took at the gateway, by route, method and status; 499 where the client had gone",
  });
  const byRoute = new Map<string, Map<string, Map<number, Histogram>>>();
  function seriesOf(route: string, method: string, status: number): Histogram {
    const byMethod = byRoute.get(route) ?? new Map<string, Map<number, Histogram>>();
    byRoute.set(route, byMethod);
    const byStatus = byMethod.get(method) ?? new Map<number, Histogram>();
    byMethod.set(method, byStatus);
    let series = byStatus.get(status);
    if (series === undefined)
      series = family.with({
        [httpNames.route]: route,
        [httpNames.method]: method,
        [httpNames.status]: String(status),
      });
    byStatus.set(status, series);
    return series;
  }
  return {
    countWhenDone(exchange, startedAt) {
      exchange.onClose(() => {
        const { record, sentStatus, request } = exchange;
        const method = methods.has(request.method ?? "") ? (request.method ?? "") : "_OTHER";
        const seconds = (performance.now() - startedAt) / 1_000;
        seriesOf(record.route ?? "unknown", method, sentStatus ?? 499).record(seconds);
      });
    },
    shed: metrics
      .counter({
        name: "rialto.requests.shed",
        unit: "{request}",
        description: "Requests refused because the gateway was too busy",
      })
      .with({}),
  };
}
