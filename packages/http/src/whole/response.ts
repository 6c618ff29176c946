import { EventEmitter } from "node:events";
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { EndsInTurn, WholeResponseBody } from "../ends-in-turn.ts";
import type { Http1Request } from "../request.ts";
import type { TurnBatch } from "../turn-batch.ts";
import { type FieldList, findField, removeField, setField, withHeaders } from "./field-list.ts";
import type { ResponseText, ResponseWriter } from "./response-text.ts";

/** What the response tells its connection. */
export interface ResponseOwner {
  /** Whether the connection ends with the responses that are not sent yet. */
  readonly isDraining: boolean;
  readonly writer: ResponseWriter;
  readonly batch: TurnBatch;
  /** It was sent. `isLast`: it said that the connection ends with it. */
  onSent(response: WholeResponse, isLast: boolean): void;
}

/** A larger body is written from where it is, beside the head: in one system call too, which takes a list. */
const joinedBytesMax = 16 * 1024;

/** What it has of Node's response, but for methods that have more forms there. */
type OfServerResponse = Pick<
  ServerResponse,
  | "addTrailers"
  | "destroyed"
  | "flushHeaders"
  | "getHeader"
  | "hasHeader"
  | "headersSent"
  | "removeHeader"
  | "statusCode"
  | "writableEnded"
  | "writableFinished"
  | "writableLength"
>;

/**
 * A response that is sent when its body has ended, head and body in one write. It is Node's `ServerResponse` as far as
 * that is used for responses of this kind: parts of a body are collected. What it has not throws: a call-back of a
 * write, a reason beside a status.
 */
export class WholeResponse extends EventEmitter implements EndsInTurn, OfServerResponse {
  readonly req: Http1Request;
  readonly #socket: Socket;
  readonly #owner: ResponseOwner;
  statusCode = 200;
  destroyed = false;
  writableEnded = false;
  writableFinished = false;
  isEnding = false;
  #isLast = false;
  /** What was set before the head was written: names in lower case, and values, in turn. */
  #fields: string[] = [];
  #head: ResponseText | undefined;
  #parts: Buffer[] = [];
  #trailers: FieldList = [];
  #body: WholeResponseBody;
  #onEnded: (() => void) | undefined;

  constructor(req: Http1Request, socket: Socket, owner: ResponseOwner) {
    super();
    this.req = req;
    this.#socket = socket;
    this.#owner = owner;
  }

  get socket(): Socket {
    return this.#socket;
  }

  get headersSent(): boolean {
    return this.#head !== undefined;
  }

  /** What the kernel has not got yet. */
  get writableLength(): number {
    return this.writableEnded && !this.writableFinished ? this.#socket.writableLength : 0;
  }

  setHeader(name: string, value: number | string | readonly string[]): this {
    this.#assertNoHead();
    const { writer } = this.#owner;
    const lowerName = name.toLowerCase();
    if (!Array.isArray(value)) writer.assertField(lowerName, `${value}`);
    else for (const each of value) writer.assertField(lowerName, `${each}`);
    setField(this.#fields, lowerName, value);
    return this;
  }

  getHeader(name: string): string | undefined {
    const at = findField(this.#fields, name);
    return at === -1 ? undefined : this.#fields[at + 1];
  }

  hasHeader(name: string): boolean {
    return findField(this.#fields, name) !== -1;
  }

  removeHeader(name: string): void {
    removeField(this.#fields, name);
  }

  /** A list has names in lower case, and none that was set before. Nothing is changed where it throws. */
  writeHead(status: number, headers?: FieldList | OutgoingHttpHeaders): this {
    this.#assertNoHead();
    if (typeof headers === "string") throw new TypeError("a whole response has no reason beside its status");
    if (!(status >= 100 && status <= 999)) throw new RangeError(`a response has no status ${status}`);
    const fields = headers === undefined ? this.#fields : withHeaders(this.#fields, headers);
    this.#head = this.#owner.writer.head(status, fields);
    this.#fields = fields;
    this.statusCode = status;
    return this;
  }

  /** The head is sent with the body. */
  flushHeaders(): void {
    if (this.#head === undefined) this.writeHead(this.statusCode);
  }

  write(part: string | Uint8Array, encoding?: BufferEncoding): boolean {
    assertNoCallback(part, encoding);
    this.flushHeaders();
    this.#parts.push(bytesOf(part, encoding));
    return true;
  }

  addTrailers(trailers: OutgoingHttpHeaders): void {
    const fields = Object.entries(trailers).flatMap(([name, value]) => [name.toLowerCase(), `${value}`]);
    this.#owner.writer.lines(fields);
    this.#trailers = fields;
  }

  end(body?: WholeResponseBody, encoding?: BufferEncoding): this {
    assertNoCallback(body, encoding);
    if (this.writableEnded || this.destroyed) return this;
    this.flushHeaders();
    if (this.#parts.length > 0) {
      if (body !== undefined) this.#parts.push(bytesOf(body, encoding));
      this.#send(Buffer.concat(this.#parts));
    } else this.#send(typeof body === "string" && encoding !== "latin1" ? Buffer.from(body, encoding) : body);
    return this;
  }

  endInTurn(body: WholeResponseBody): void {
    this.isEnding = true;
    this.#body = body;
    this.#owner.batch.add(this);
  }

  onceEnded(listener: () => void): void {
    this.#onEnded = listener;
  }

  /** For the batch alone. */
  onTurnEnd(): void {
    this.isEnding = false;
    this.end(this.#body, "latin1");
    this.#body = undefined;
    this.#onEnded?.();
  }

  /** Closes the connection. */
  destroy(): this {
    this.destroyed = true;
    this.#socket.destroy();
    return this;
  }

  /** For the connection alone, which is closed: nothing more is sent. */
  onClosed(): void {
    this.destroyed = true;
    this.emit("close");
  }

  #send(body: WholeResponseBody): void {
    const { writer, isDraining } = this.#owner;
    const head = this.#head;
    if (head === undefined) return;
    this.writableEnded = true;
    this.#isLast = head.isLast || isDraining;
    const start = head.text + (this.#isLast ? writer.last : writer.kept);
    const socket = this.#socket;
    if (this.#trailers.length > 0) this.#sendChunked(start, body ?? "");
    else if (isWithoutBody(this.statusCode)) socket.write(`${start}\r\n`, "latin1", this.#onWritten);
    else {
      const length = head.hasLength ? "" : `content-length: ${body?.length ?? 0}\r\n`;
      if (body === undefined || typeof body === "string" || body.byteLength <= joinedBytesMax)
        socket.write(`${start}${length}\r\n${latin1(body)}`, "latin1", this.#onWritten);
      else {
        socket.cork();
        socket.write(`${start}${length}\r\n`, "latin1");
        socket.write(body, this.#onWritten);
        socket.uncork();
      }
    }
  }

  /** Trailers come after chunks: here after one. A length that was set is not written then. */
  #sendChunked(start: string, body: Uint8Array | string): void {
    const withoutLength = start.replace(/\r\ncontent-length: [^\r]*/, "");
    const chunk = body.length === 0 ? "" : `${body.length.toString(16)}\r\n${latin1(body)}\r\n`;
    const trailers = this.#owner.writer.lines(this.#trailers);
    const text = `${withoutLength}transfer-encoding: chunked\r\n\r\n${chunk}0\r\n${trailers}\r\n`;
    this.#socket.write(text, "latin1", this.#onWritten);
  }

  /** Where the write failed, the connection closes. */
  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.destroyed) return;
    this.writableFinished = true;
    try {
      this.emit("finish");
      this.destroyed = true;
      this.emit("close");
    } finally {
      // Not before: the next request may be here already, and is begun then.
      this.#owner.onSent(this, this.#isLast);
    }
  };

  #assertNoHead(): void {
    if (this.#head !== undefined) throw new Error("the head of the response is written");
  }
}

/** Node takes one in the place of either. */
function assertNoCallback(part: unknown, encoding: unknown): void {
  if (typeof part === "function" || typeof encoding === "function")
    throw new TypeError("a whole response takes no call-back: it emits finish and close");
}

function bytesOf(part: Uint8Array | string, encoding?: BufferEncoding): Buffer {
  return typeof part === "string" ? Buffer.from(part, encoding) : Buffer.from(part);
}

/** A status whose responses have no body (RFC 9112, section 6.3). */
function isWithoutBody(status: number): boolean {
  return status === 204 || status === 304;
}

function latin1(body: WholeResponseBody): string {
  if (body === undefined || typeof body === "string") return body ?? "";
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
}
