import type { RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { HttpTimeouts } from "../limits.ts";
import { Http1Request } from "../request.ts";
import type { TurnBatch } from "../turn-batch.ts";
import { type WholeRequest, WholeRequestReader } from "./request-reader.ts";
import { type ResponseOwner, WholeResponse } from "./response.ts";
import { createResponseWriter, type ResponseWriter } from "./response-text.ts";

/** Whether the response to a POST of this path and content type is a whole one: it is sent when its body has ended. */
export type AnswersWhole = (path: string, contentType: string | undefined) => boolean;

/** The connections whose requests have come as whole ones so far. */
export interface WholeConnections {
  accept(socket: Socket): void;
  drain(): void;
  closeIdle(): void;
  close(): void;
}

export interface WholeConnectionsOptions {
  readonly headBytesMax: number;
  readonly timeouts: Pick<HttpTimeouts, "idleMs">;
  readonly batch: TurnBatch;
  readonly answersWhole: AnswersWhole;
  readonly onRequest: RequestListener;
  /** Takes a connection whose next bytes are to be read by Node's parser: they are put back. */
  readonly handOver: (socket: Socket) => void;
}

/** How often idle connections are looked for, at most. */
const sweepMsMax = 1_000;
/** What a client may send while its request is answered, and is kept: above it, nothing more is read. */
const keptBytesMax = 16 * 1024;

/**
 * Reads requests that come in one piece, and sends their responses in one write, without Node's server: its parser and
 * its objects cost more than both. A connection goes to Node's server for good with the first bytes that are anything
 * else, whatever they are, and with the first request whose response may be long. So there is nothing here to limit:
 * no request waits for its rest.
 */
export function createWholeConnections(o: WholeConnectionsOptions): WholeConnections {
  const all = new Set<WholeConnection>();
  const shared: Shared = { ...o, all, writer: createResponseWriter(o.timeouts.idleMs), isDraining: false };
  const closeIdle = (idleMs: number) => {
    const until = performance.now() - idleMs;
    for (const connection of all) connection.closeIfIdle(until);
  };
  const sweep = setInterval(() => closeIdle(o.timeouts.idleMs), Math.min(sweepMsMax, o.timeouts.idleMs));
  sweep.unref();
  return {
    accept: (socket) => void all.add(new WholeConnection(socket, shared)),
    drain: () => {
      shared.isDraining = true;
    },
    closeIdle: () => closeIdle(0),
    close: () => clearInterval(sweep),
  };
}

interface Shared extends WholeConnectionsOptions {
  readonly all: Set<WholeConnection>;
  readonly writer: ResponseWriter;
  isDraining: boolean;
}

/** One connection, from its first bytes to its end, or until Node's server has it. */
class WholeConnection implements ResponseOwner {
  readonly #socket: Socket;
  readonly #shared: Shared;
  readonly #reader = new WholeRequestReader();
  /** The one that is in progress. */
  #response: WholeResponse | undefined;
  /** What has arrived meanwhile. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #idleSince = performance.now();

  constructor(socket: Socket, shared: Shared) {
    this.#socket = socket;
    this.#shared = shared;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
  }

  get isDraining(): boolean {
    return this.#shared.isDraining;
  }

  get writer(): ResponseWriter {
    return this.#shared.writer;
  }

  get batch(): TurnBatch {
    return this.#shared.batch;
  }

  /** Closes it if it has been idle since that time. */
  closeIfIdle(until: number): void {
    if (this.#response === undefined && this.#idleSince <= until) this.#socket.destroy();
  }

  onSent(_response: WholeResponse, isLast: boolean): void {
    this.#response = undefined;
    this.#idleSince = performance.now();
    if (isLast) {
      this.#socket.destroySoon();
      return;
    }
    if (this.#keptBytes === 0) return;
    const bytes = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#keptBytes = 0;
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#onData(bytes);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#response !== undefined) {
      this.#keep(bytes);
      return;
    }
    const { headBytesMax, answersWhole } = this.#shared;
    const read = this.#reader.read(bytes, headBytesMax);
    if (read !== undefined && answersWhole(read.path, read.fields["content-type"])) this.#answer(read);
    else this.#handOver(bytes);
  };

  #answer({ path, fields, body }: WholeRequest): void {
    const request = new Http1Request(this.#socket);
    request.method = "POST";
    request.url = path;
    request.httpVersion = "1.1";
    request.httpVersionMajor = 1;
    request.httpVersionMinor = 1;
    request.headers = fields;
    if (body.length > 0) request.push(body);
    request.push(null);
    request.complete = true;
    const response = new WholeResponse(request, this.#socket, this);
    this.#response = response;
    // It has what is used of Node's for a whole response.
    this.#shared.onRequest(request, response as unknown as ServerResponse<Http1Request>);
  }

  /** A client may send its next request before it has its response. */
  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > keptBytesMax) this.#socket.pause();
  }

  #handOver(bytes: Buffer): void {
    const socket = this.#socket;
    this.#shared.all.delete(this);
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    socket.unshift(bytes);
    this.#shared.handOver(socket);
  }

  /** A client that sends no more gets no more, as from Node's server. */
  readonly #onEnd = (): void => {
    this.#socket.end();
  };

  readonly #onClose = (): void => {
    this.#shared.all.delete(this);
    const response = this.#response;
    this.#response = undefined;
    if (response === undefined) return;
    response.req.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
    response.onClosed();
  };
}
