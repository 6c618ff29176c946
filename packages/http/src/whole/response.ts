import { EventEmitter } from "node:events";
import type { OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { EndsInTurn, WholeResponseBody } from "../ends-in-turn.ts";
import type { Http1Request } from "../request.ts";
import type { TurnBatch } from "../turn-batch.ts";
import type { FieldList, ResponseText, ResponseWriter } from "./response-text.ts";

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

/**
 * A response that is sent when its body has ended, head and body in one write. It is Node's `ServerResponse` as far as
 * that is used for responses of this kind: parts of a body are collected.
 */
export class WholeResponse extends EventEmitter implements EndsInTurn {
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
    this.removeHeader(name);
    for (const each of Array.isArray(value) ? value : [value]) this.#fields.push(name.toLowerCase(), `${each}`);
    return this;
  }

  getHeader(name: string): string | undefined {
    const at = this.#find(name);
    return at === -1 ? undefined : this.#fields[at + 1];
  }

  hasHeader(name: string): boolean {
    return this.#find(name) !== -1;
  }

  removeHeader(name: string): void {
    for (let at = this.#find(name); at !== -1; at = this.#find(name)) this.#fields.splice(at, 2);
  }

  /** A list has names in lower case, and none that was set before. */
  writeHead(status: number, headers?: FieldList | OutgoingHttpHeaders): this {
    this.#assertNoHead();
    const isList = Array.isArray(headers);
    if (headers !== undefined && !isList) {
      for (const [name, value] of Object.entries(headers)) if (value !== undefined) this.setHeader(name, value);
    }
    const fields = isList ? [...this.#fields, ...headers] : this.#fields;
    // Not before: a head that cannot be written is followed by that of an error.
    this.#head = this.#owner.writer.head(status, fields);
    this.statusCode = status;
    return this;
  }

  /** The head is sent with the body. */
  flushHeaders(): void {
    if (this.#head === undefined) this.writeHead(this.statusCode);
  }

  write(part: string | Uint8Array): boolean {
    this.flushHeaders();
    this.#parts.push(Buffer.from(part as Uint8Array));
    return true;
  }

  addTrailers(trailers: OutgoingHttpHeaders): void {
    this.#trailers = Object.entries(trailers).flatMap(([name, value]) => [name.toLowerCase(), `${value}`]);
  }

  end(body?: WholeResponseBody, encoding?: "latin1"): this {
    if (this.writableEnded || this.destroyed) return this;
    this.flushHeaders();
    const last = typeof body === "string" && encoding === undefined ? Buffer.from(body) : body;
    if (this.#parts.length === 0) this.#send(last);
    else {
      if (last !== undefined)
        this.#parts.push(typeof last === "string" ? Buffer.from(last, "latin1") : Buffer.from(last));
      this.#send(Buffer.concat(this.#parts));
    }
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
    this.#owner.onSent(this, this.#isLast);
    this.emit("finish");
    this.destroyed = true;
    this.emit("close");
  };

  #find(name: string): number {
    const wanted = name.toLowerCase();
    for (let at = 0; at < this.#fields.length; at += 2) if (this.#fields[at] === wanted) return at;
    return -1;
  }

  #assertNoHead(): void {
    if (this.#head !== undefined) throw new Error("the head of the response is written");
  }
}

/** A status whose responses have no body (RFC 9112, section 6.3). */
function isWithoutBody(status: number): boolean {
  return status === 204 || status === 304;
}

function latin1(body: WholeResponseBody): string {
  if (body === undefined || typeof body === "string") return body ?? "";
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
}
