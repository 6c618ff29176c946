import type { Socket } from "node:net";
import { keepAliveMsMax } from "../limits.ts";
import type { Batched, TurnBatch } from "../turn-batch.ts";
import type { HttpFields } from "./http-client.ts";
import { openSocket, type Server } from "./open-socket.ts";
import type { PendingRequest } from "./pending-request.ts";
import { type ResponseParts, ResponseReader } from "./response-reader.ts";

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It is made, and may carry a request. */
  onReady(connection: Connection): void;
  /** The response to its request is whole, and it may carry another one. */
  onFree(connection: Connection): void;
  /** It carries none any more. Its request, if there is one, fails with this error after the call. */
  onClosed(connection: Connection, error: Error): void;
}

/** How long a connection is kept whose server does not say how long it keeps it. */
const idleMsDefault = 4_000;
/** How much earlier than its server the client stops using a connection: a request may be on its way for as long. */
const idleMarginMs = 2_000;
/** A larger body is written from where it is, beside the head: in one system call too, which takes a list. */
const joinedBytesMax = 16 * 1024;

/** One connection, which carries one request at a time. */
export class Connection implements ResponseParts, Batched {
  readonly #owner: ConnectionOwner;
  readonly #batch: TurnBatch;
  readonly #socket: Socket;
  readonly #reader = new ResponseReader(this);
  #request: PendingRequest | undefined;
  /** The request whose response is whole, until what was read with it is read. */
  #answered: { readonly request: PendingRequest; readonly trailers: HttpFields } | undefined;
  #idleMs = idleMsDefault;
  #freeAt = 0;
  #isRef = true;
  #isReady = false;
  #isClosed = false;

  constructor(server: Server, owner: ConnectionOwner, batch: TurnBatch) {
    this.#owner = owner;
    this.#batch = batch;
    this.#socket = openSocket(
      server,
      (bytes) => this.#onBytes(bytes),
      () => {
        this.#isReady = true;
        this.#freeAt = performance.now();
        owner.onReady(this);
      },
    );
    this.#socket.on("error", (error) => this.close(error));
    this.#socket.on("end", () => this.close(new ClosedByServer()));
    this.#socket.on("close", () => this.close(new ClosedByServer()));
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether its server may be about to close it. */
  isOld(now: number): boolean {
    return now >= this.#freeAt + this.#idleMs;
  }

  /** Sends a request, at the end of the turn. Call it only while the connection carries none. */
  send(request: PendingRequest): void {
    this.#request = request;
    request.connection = this;
    if (!this.#isRef) this.#socket.ref();
    this.#isRef = true;
    this.#batch.add(this);
  }

  /** Writes its request, in one write. For the batch alone. */
  onTurnEnd(): void {
    // Where it was canceled meanwhile, nothing is sent.
    if (this.#request === undefined) return;
    const { verb, head, body } = this.#request;
    // Not before: what arrives until now is no response to it.
    this.#reader.expectResponse(verb);
    if (body === undefined || body.byteLength === 0) this.#socket.write(head, "latin1");
    else if (body.byteLength <= joinedBytesMax) this.#socket.write(head + latin1(body), "latin1");
    else {
      this.#socket.cork();
      this.#socket.write(head, "latin1");
      this.#socket.write(body);
      this.#socket.uncork();
    }
  }

  /** Lets a process end that has nothing else to do. */
  unref(): void {
    this.#isRef = false;
    this.#socket.unref();
  }

  /** Closes the connection. Its request fails with this error. */
  close(error: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    const request = this.#request;
    this.#request = undefined;
    this.#owner.onClosed(this, error);
    request?.fail(error);
  }

  onHead(status: number, fields: HttpFields): void {
    this.#idleMs = idleMsOf(fields["keep-alive"]);
    this.#request?.receiver.onHead(status, fields);
  }

  onBody(part: Buffer): void {
    this.#request?.receiver.onData(Buffer.from(part));
  }

  onEnd(trailers: HttpFields, isReusable: boolean): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    this.#answered = { request, trailers };
    // A server that answers before it has read the request reads the rest of it as the next one.
    if (!isReusable || this.#idleMs <= 0 || this.#socket.writableLength > 0) this.close(new ClosedByServer());
  }

  #onBytes(bytes: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#reader.read(bytes);
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
    const answered = this.#answered;
    if (answered === undefined) return;
    this.#answered = undefined;
    if (!this.#isClosed) {
      this.#freeAt = performance.now();
      this.#owner.onFree(this);
    }
    answered.request.succeed(answered.trailers);
  }
}

/** The server closed the connection, or its network did. */
class ClosedByServer extends Error {
  override readonly name = "ClosedByServer";
  readonly code = "ECONNRESET";

  constructor() {
    super("the server closed the connection");
  }
}

/** How long a connection is kept, by what its server says of itself. */
function idleMsOf(hint: string | readonly string[] | undefined): number {
  const seconds = hint === undefined ? undefined : /(?:^|[\s,;])timeout=(\d+)/i.exec(`${hint}`)?.[1];
  return seconds === undefined ? idleMsDefault : Math.min(Number(seconds) * 1_000, keepAliveMsMax) - idleMarginMs;
}

function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}
