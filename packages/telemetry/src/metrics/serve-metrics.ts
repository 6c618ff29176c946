import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopbackAddress } from "../trace-ring/loopback.ts";
import type { AnswerHttp } from "../trace-ring/receive-otlp.ts";
import { collectMetrics } from "./metric-data.ts";
import type { MetricRegistry } from "./metrics.ts";
import { prometheusText } from "./prometheus-text.ts";

/** The port on which a process shows its metrics. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Connections that are held at once: a few scrapers, and in development the exporters of the other processes. */
const connectionsMax = 64;
const requestMsMax = 5_000;

/**
 * Serves the metrics in Prometheus' text at /metrics, on a port of its own: it is for those who operate the process,
 * and asks for no token. What is for `others` they answer, where only this machine reaches the port; elsewhere their
 * paths are not there. Rejects with Node's error where the port is in use.
 */
export async function serveMetrics(
  registry: MetricRegistry,
  o: { readonly port: number; readonly host: string; readonly others?: AnswerHttp | undefined },
): Promise<MetricsServer> {
  const startedAt = new Date();
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path] = (request.url ?? "").split("?", 1);
    if (path !== "/metrics") return void response.writeHead(404).end();
    if (request.method !== "GET" && request.method !== "HEAD")
      return void response.writeHead(405, { allow: "GET, HEAD" }).end();
    const text = prometheusText(await collectMetrics(registry, startedAt));
    response.writeHead(200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
    response.end(request.method === "HEAD" ? undefined : text);
  }
  let others: AnswerHttp | undefined;
  const server = createServer({ requestTimeout: requestMsMax, headersTimeout: requestMsMax }, (request, response) => {
    (others?.(request, response) ?? answer(request, response)).catch(() => response.destroy());
  });
  server.maxConnections = connectionsMax;
  server.listen(o.port, o.host);
  await once(server, "listening");
  server.unref();
  const address = server.address() as AddressInfo; // It listens on TCP.
  if (isLoopbackAddress(address.address)) others = o.others;
  return {
    port: address.port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
