import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type ByteRequest, byteErrorResponse } from "./bytes.ts";
import { callErrors } from "./call-errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { Refusal, refuse } from "./errors.ts";
import {
  closeGraceMsMax,
  keepAliveMsMax,
  requestHeadBytesMax,
  requestHeadMsMax,
  requestReadMsMax,
  serverConnectionsMax,
} from "./limits.ts";
import { readNodeRequest, writeNodeResponse } from "./node-http.ts";

/** A server that runs. */
export interface Listening {
  readonly port: number;
  /** Lets the calls at work end, but streams at once; breaks off what takes too long. */
  close(): Promise<void>;
}

/**
 * Serves an endpoint over HTTP/1.1: Connect at its methods' paths and `/health`. `extra` sees every other request first
 * and says whether it has taken it. Port 0 takes any free one. Rejects with Node's error where the port is taken.
 */
export async function listen(o: {
  readonly endpoint: Endpoint;
  readonly port: number;
  readonly host?: string;
  readonly extra?: (req: IncomingMessage, res: ServerResponse) => boolean;
}): Promise<Listening> {
  const { endpoint, extra } = o;
  const closing = new AbortController();
  const server = createServer({
    keepAliveTimeout: keepAliveMsMax,
    headersTimeout: requestHeadMsMax,
    requestTimeout: requestReadMsMax,
    maxHeaderSize: requestHeadBytesMax,
  });
  server.maxConnections = serverConnectionsMax;
  server.on("request", (req, res) => {
    if (req.method === "GET" && req.url === "/health") {
      res
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ status: "ok", service: endpoint.service }));
      return;
    }
    if (extra?.(req, res) === true) return;
    // Every failure has been logged by the pipeline or means that the client is gone.
    answerRequest(endpoint, req, res, closing.signal).catch(() => res.destroy());
  });
  server.listen(o.port, o.host);
  await once(server, "listening");
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= closeServer(server, closing);
    return closed;
  };
  return { port: portOf(server), close };
}

async function answerRequest(
  endpoint: Endpoint,
  req: IncomingMessage,
  res: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  try {
    const request = readNodeRequest(req, res);
    await writeNodeResponse(await endpoint.fetchBytes(endingWith(request, closing)), res);
  } catch (error) {
    if (res.headersSent || !(error instanceof Refusal)) throw error;
    await writeNodeResponse(byteErrorResponse(error), res);
  }
}

/** A stream could hold a closing server for minutes; its client finds another replica. */
function endingWith(request: ByteRequest, closing: AbortSignal): ByteRequest {
  const isStream = request.header.get("content-type")?.startsWith("application/connect+") === true;
  if (!isStream) return request;
  return { ...request, signal: request.signal === undefined ? closing : AbortSignal.any([request.signal, closing]) };
}

async function closeServer(server: Server, closing: AbortController): Promise<void> {
  const closed = once(server, "close");
  server.close();
  closing.abort(refuse(callErrors.TEMPORARILY_UNAVAILABLE));
  // A connection whose last call ends after close() stays open for its next one: it is asked again until none is left.
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
  const late = setTimeout(() => server.closeAllConnections(), closeGraceMsMax);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
}

const idleCheckMs = 20;

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
