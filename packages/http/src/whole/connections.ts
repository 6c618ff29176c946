import { AsyncLocalStorage } from "node:async_hooks";
import type { RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { HttpTimeouts } from "../limits.ts";
import { Http1Request } from "../request.ts";
import type { TurnBatch } from "../turn-batch.ts";
import { createLongLines, type LongLines, type WholeRequest, WholeRequestReader } from "./request-reader.ts";
import { type ResponseOwner, WholeResponse } from "./response.ts";
import { createResponseWriter, type ResponseWriter } from "./response-text.ts";

/** What is known of a request before it is begun. Its path has its query. */
export type RequestStart = Readonly<Record<"method" | "path", string>> & { readonly contentType: string | undefined };

/** Whether the response to a request is a whole one: it is sent when its body has ended. */
export type AnswersWhole = (start: RequestStart) => boolean;

/** The connections whose requests have come as whole ones so far. */
export interface WholeConnections {
  accept(socket: Socket): void;
  drain(): void;
  /** Closes those that had a request and have none in progress. */
  closeIdle(): void;
  /** Closes those that had no request yet. */
  closeUnused(): void;
  close(): void;
}

export interface WholeConnectionsOptions {
  readonly headBytesMax: number;
  readonly timeouts: Pick<HttpTimeouts, "headMs" | "idleMs">;
  readonly batch: TurnBatch;
  readonly answersWhole: AnswersWhole;
  readonly onRequest: RequestListener;
  /** Takes a connection whose next bytes are to be read by Node's parser: they are put back. */
  readonly handOver: (socket: Socket) => void;
}

/** How often idle connections are looked for, at least. */
const sweepMsMax = 1_000;
/** A client is told less than it has, as by Node's server: its next request may be on its way. */
const idleBufferMs = 1_000;
/**
 * What a client may send while its request is answered, and is kept. The connection of one that sends more is closed:
 * hardly any client sends a request before it has the answer to the one before, none behind a POST (RFC 9112, section
 * 9.3.2), and where nothing more were read, nobody would notice that the client goes. No less than one read of a
 * socket. One that begins with several requests in one piece is Node's from the start, and may send more.
 */
const keptBytesMax = 64 * 1024;
/** In how many pieces it is kept: a piece of one byte costs more than a hundred. */
const keptPiecesMax = 64;

/**
 * Reads requests that come in one piece, and sends their responses in one write, without Node's server: its parser and
 * its objects cost more than both. A connection goes to Node's server for good with the first bytes that are anything
 * else, whatever they are, and with the first request whose response may be long. So there is nothing here to limit:
 * no request waits for its rest.
 */
export function createWholeConnections(o: WholeConnectionsOptions): WholeConnections {
  const all = new Set<WholeConnection>();
  const { headMs, idleMs } = o.timeouts;
  const writer = createResponseWriter(idleMs);
  const longLines = createLongLines();
  const shared: Shared = { ...o, all, writer, longLines, outside: AsyncLocalStorage.snapshot(), isDraining: false };
  const closeLate = () => {
    const now = performance.now();
    for (const connection of all) connection.closeIfLate(now);
  };
  const sweep = setInterval(closeLate, Math.min(sweepMsMax, headMs, idleMs));
  sweep.unref();
  return {
    accept: (socket) => void all.add(new WholeConnection(socket, shared)),
    drain: () => {
      shared.isDraining = true;
    },
    closeIdle: () => {
      for (const connection of all) if (connection.isUsed) connection.closeIfIdle();
    },
    closeUnused: () => {
      for (const connection of all) if (!connection.isUsed) connection.closeIfIdle();
    },
    close: () => clearInterval(sweep),
  };
}

interface Shared extends WholeConnectionsOptions {
  readonly all: Set<WholeConnection>;
  readonly writer: ResponseWriter;
  readonly longLines: LongLines;
  /** Runs something outside of what is known of any request, for example its span. */
  readonly outside: ReturnType<typeof AsyncLocalStorage.snapshot>;
  isDraining: boolean;
}

/** One connection, from its first bytes to its end, or until Node's server has it. */
class WholeConnection implements ResponseOwner {
  readonly #socket: Socket;
  readonly #shared: Shared;
  readonly #reader: WholeRequestReader;
  /** The one that is in progress. */
  #response: WholeResponse | undefined;
  /** What has arrived meanwhile. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Its last response was sent: what still arrives is no request. */
  #isOver = false;
  /** Whether it had a request. */
  isUsed = false;
  /** When it is closed unless a request comes: its first one has the time of a head. */
  #lateFrom: number;

  constructor(socket: Socket, shared: Shared) {
    this.#socket = socket;
    this.#shared = shared;
    this.#reader = new WholeRequestReader(shared.longLines);
    this.#lateFrom = performance.now() + shared.timeouts.headMs;
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

  closeIfLate(now: number): void {
    if (now >= this.#lateFrom) this.closeIfIdle();
  }

  closeIfIdle(): void {
    if (this.#response === undefined) this.#socket.destroy();
  }

  onSent({ req }: WholeResponse, isLast: boolean): void {
    this.#response = undefined;
    req.isAnswered = true;
    this.#lateFrom = performance.now() + this.#shared.timeouts.idleMs + idleBufferMs;
    if (isLast) {
      this.#isOver = true;
      this.#socket.destroySoon();
    } else if (this.#keptBytes > 0) this.#readKept();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#isOver) return;
    if (this.#response !== undefined) {
      this.#keep(bytes);
      return;
    }
    const read = this.#reader.read(bytes, this.#shared.headBytesMax);
    if (read !== undefined && this.#isWhole(read)) this.#answer(read);
    else this.#handOver(bytes);
  };

  #isWhole({ method, path, fields }: WholeRequest): boolean {
    return this.#shared.answersWhole({ method, path, contentType: fields["content-type"] });
  }

  #answer({ method, path, fields, body }: WholeRequest): void {
    const request = new Http1Request(this.#socket);
    request.method = method;
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
    this.isUsed = true;
    // It has what is used of Node's for a whole response.
    this.#shared.onRequest(request, response as unknown as ServerResponse<Http1Request>);
  }

  /** A client may send its next request before it has its response. */
  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > keptBytesMax) {
      this.#isOver = true;
      this.#kept = [];
      this.#socket.destroy();
    } else if (this.#kept.length > keptPiecesMax) this.#kept = [Buffer.concat(this.#kept)];
  }

  /** The response before was sent within the span of its request: the next one is no part of it. */
  #readKept(): void {
    const bytes = this.#takeKept();
    if (!this.#socket.destroyed) this.#shared.outside(this.#onData, bytes);
  }

  #takeKept(): Buffer {
    const bytes = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#keptBytes = 0;
    return bytes;
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
