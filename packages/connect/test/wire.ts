import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import { listenHttp } from "@rialto/http";
import { onTestFinished } from "vitest";
import { type ConnectHandlerOptions, createConnectHandler } from "../src/index.ts";

/** A request in bytes. */
export interface Asked {
  readonly version?: "1.1" | "2";
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: Uint8Array | string;
}

/** What came back. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Serves until the test is over. Returns the port. */
export async function serving(o: ConnectHandlerOptions): Promise<number> {
  const handler = createConnectHandler(o);
  const listener = await listenHttp({ port: 0, streamsMax: 100, onRequest: handler, onStream: handler.onStream });
  onTestFinished(() => listener.close());
  return listener.port;
}

/** Sends one request on a connection of its own. */
export function ask(port: number, asked: Asked): Promise<Answered> {
  return asked.version === "2" ? askHttp2(port, asked) : askHttp1(port, asked);
}

async function askHttp1(port: number, { method = "POST", path, headers = {}, body }: Asked): Promise<Answered> {
  const req = http.request({ port, host: "127.0.0.1", method, path, headers, agent: false });
  const answered = once(req, "response");
  req.end(body);
  const [res] = (await answered) as [http.IncomingMessage];
  const chunks = await res.toArray();
  return { status: res.statusCode ?? 0, headers: res.headers, trailers: res.trailers, body: Buffer.concat(chunks) };
}

async function askHttp2(port: number, { method = "POST", path, headers = {}, body }: Asked): Promise<Answered> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: method === "GET" });
  let trailers: Answered["trailers"] = {};
  stream.on("trailers", (given) => {
    trailers = given;
  });
  const answered = once(stream, "response");
  if (method !== "GET") stream.end(body);
  const [head] = (await answered) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
  const chunks = await stream.toArray();
  session.close();
  const { ":status": status = 0, ...rest } = head;
  return { status, headers: rest, trailers, body: Buffer.concat(chunks) };
}

/** An envelope of gRPC: flags, length, bytes. */
export function enveloped(data: Uint8Array | string, flags = 0): Buffer {
  const bytes = Buffer.from(data);
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
