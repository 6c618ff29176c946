import type { LookupFunction } from "node:net";
import { ConnectionPool } from "./connection-pool.ts";
import type { ClientTls, HttpClient, RequestInProgress } from "./http-client.ts";
import { serverAt } from "./open-socket.ts";
import { PendingRequest } from "./pending-request.ts";
import { createRequestWriter } from "./request-text.ts";

/** Options of a client for HTTP/1.1. */
export interface Http1ClientOptions {
  readonly tls?: ClientTls | undefined;
  /** Connections to one origin. A request above it waits for another to end. */
  readonly connectionsMax?: number | undefined;
  /** Requests to one origin that wait. One above it fails at once with `BulkheadFull`: it was not sent. */
  readonly waitingMax?: number | undefined;
  /** Finds the address of an origin's host; the operating system does where it is not given. */
  readonly lookup?: LookupFunction | undefined;
}

const connectionsMaxDefault = 256;
const waitingMaxDefault = 10_000;

/** The connections to one origin, and its line in the head of a request. */
interface Origin {
  readonly pool: ConnectionPool;
  readonly hostLine: string;
  readonly forget: (request: PendingRequest) => void;
}

/**
 * Creates a client for HTTP/1.1 over pooled connections. A request leaves in one write, and costs no stream, no timer
 * and no promise. It is sent once: its receiver gets the error of a connection that was lost meanwhile (ECONNRESET or
 * EPIPE), and nobody knows whether the server has done it. An error of connecting means that it was not sent.
 *
 * It has no timeouts of its own for a response: the deadline of a call ends it.
 */
export function createHttp1Client(o: Http1ClientOptions): HttpClient {
  const { connectionsMax = connectionsMaxDefault, waitingMax = waitingMaxDefault } = o;
  const origins = new Map<string, Origin>();
  const writer = createRequestWriter();
  let isClosed = false;

  function originOf(origin: string): Origin {
    const known = origins.get(origin);
    if (known !== undefined) return known;
    const server = serverAt(origin, o);
    const pool = new ConnectionPool(server, { connectionsMax, waitingMax }, () => origins.delete(origin));
    const hostLine = `host: ${new URL(origin).host}\r\n`;
    const created = { pool, hostLine, forget: (request: PendingRequest) => pool.forget(request) };
    origins.set(origin, created);
    return created;
  }

  return {
    send(request, receiver) {
      let pending: PendingRequest;
      try {
        if (isClosed) throw new Error("the client is closed");
        const { hostLine, forget } = originOf(request.origin);
        pending = new PendingRequest(request, writer.head(request, hostLine), receiver, forget);
      } catch (error) {
        receiver.onError(error);
        return notSent;
      }
      originOf(request.origin).pool.send(pending);
      return pending;
    },
    close: async () => {
      isClosed = true;
      for (const { pool } of [...origins.values()]) pool.close(new Error("the client is closed"));
    },
  };
}

const notSent: RequestInProgress = { cancel: () => undefined };
