import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** "down": nothing listens. "silent": requests are read and never answered. */
export type CollectorMode = "answers" | "down" | "silent" | "500";

/** A receiver of OTLP in JSON that counts, and that fails in the ways that receivers do. */
export interface Collector {
  readonly url: string;
  become(mode: CollectorMode): Promise<void>;
  /** The spans and log records that each service's exports had since the last call, answered ones only. */
  take(): ReadonlyMap<string, Received>;
  close(): Promise<void>;
}

export interface Received {
  readonly spans: number;
  readonly records: number;
}

/** Starts a collector on a port that stays its own while it is down. It answers. */
export async function startCollector(port: number): Promise<Collector> {
  let mode: CollectorMode = "answers";
  let received = new Map<string, Received>();

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (mode === "silent") return;
    if (mode === "500") return void response.writeHead(500).end();
    const body = JSON.parse(Buffer.concat(chunks).toString());
    for (const { service, spans, records } of [
      ...countsIn(body.resourceSpans, "scopeSpans", "spans"),
      ...countsIn(body.resourceLogs, "scopeLogs", "logRecords"),
    ]) {
      const known = received.get(service) ?? { spans: 0, records: 0 };
      received.set(service, { spans: known.spans + spans, records: known.records + records });
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  }

  let server: Server | undefined;
  async function open(): Promise<void> {
    if (server !== undefined) return;
    server = createServer((request, response) => {
      receive(request, response).catch(() => response.destroy());
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  }
  async function shut(): Promise<void> {
    const mine = server;
    server = undefined;
    if (mine === undefined) return;
    const closed = once(mine, "close");
    mine.close();
    mine.closeAllConnections();
    await closed;
  }

  await open();
  return {
    url: `http://127.0.0.1:${port}`,
    async become(next) {
      // What waits for an answer of a silent one is cut off.
      await shut();
      mode = next;
      if (next !== "down") await open();
    },
    take() {
      const taken = received;
      received = new Map();
      return taken;
    },
    close: shut,
  };
}

/** JSON of OTLP: resources with a list of scopes, each with a list of items. */
type Resources = readonly Readonly<Record<string, unknown>>[] | undefined;

function countsIn(resources: Resources, scopes: string, items: "spans" | "logRecords") {
  return (resources ?? []).map((resource) => {
    const lists = listOf(resource[scopes]).map((scope) => listOf(scope[items]).length);
    const count = lists.reduce((sum, length) => sum + length, 0);
    const attributes = listOf(Object(resource.resource).attributes);
    const name = attributes.find(({ key }) => key === "service.name");
    const service = String(Object(name?.value).stringValue);
    return { service, spans: items === "spans" ? count : 0, records: items === "logRecords" ? count : 0 };
  });
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value : [];
}
