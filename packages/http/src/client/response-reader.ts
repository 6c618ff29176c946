import type { HttpFields } from "./http-client.ts";
import { ResponseFault, ResponseHeadTooLarge } from "./http-faults.ts";
import { HeadReader, readTrailers, type StatusLine } from "./response-head.ts";

/** Gets the parts of a response as they are read. What one of them throws, `read` throws. */
export interface ResponseParts {
  onHead(status: number, fields: HttpFields): void;
  /** The bytes are the reader's input: they change when that is used again. */
  onBody(part: Buffer): void;
  /** `isReusable`: by its head, the connection may carry another request. */
  onEnd(trailers: HttpFields, isReusable: boolean): void;
}

/** The heads and the trailers of one response together: what Node allows too. */
const responseHeadBytesMax = 16 * 1024;
/** The line before a chunk: its length, and extensions that nobody reads. */
const chunkLineBytesMax = 1_024;

/** What the next bytes are a part of. "over": of nothing, since no response is expected. */
type State = "over" | "head" | "body" | "chunk-line" | "chunk" | "chunk-end" | "trailers";

/**
 * Reads the responses of one connection, one after the other, however their bytes are cut. It is strict, as whoever
 * reads a length in another way than the server takes a part of one response for the next one (RFC 9112, section 11):
 * a response has one length or comes in chunks, and one that ends with its connection is refused, as it may be cut off.
 */
export class ResponseReader {
  readonly #parts: ResponseParts;
  readonly #heads = new HeadReader();
  #state: State = "over";
  /** The request was a HEAD, whose response has the fields of a body and no body. */
  #isToHead = false;
  /** What has arrived of a head or of a line that is not whole. */
  #text = "";
  /** Where the text that `#take` returned last ends in the input. */
  #textEnd = 0;
  #headBytesLeft = 0;
  /** Of the body or of the chunk. */
  #bytesLeft = 0;
  #isReusable = false;

  constructor(parts: ResponseParts) {
    this.#parts = parts;
  }

  /** Call it for each request: the next bytes are those of its response. */
  expectResponse(verb: string): void {
    this.#state = "head";
    this.#isToHead = verb === "HEAD";
    this.#headBytesLeft = responseHeadBytesMax;
  }

  /**
   * Reads the next bytes. Throws a `ResponseFault` or a `ResponseHeadTooLarge`, also for bytes that nobody asked for;
   * then the connection is of no use any more.
   */
  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at = this.#step(bytes, at);
  }

  /** Reads what comes next, and returns where that ends. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "over":
        throw new ResponseFault("the server sent what nobody asked for");
      case "head":
        return this.#readHead(bytes, at);
      case "body":
      case "chunk":
        return this.#readBody(bytes, at);
      case "chunk-line":
        return this.#readChunkLine(bytes, at);
      case "chunk-end":
        return this.#readChunkEnd(bytes, at);
      case "trailers":
        return this.#readTrailers(bytes, at);
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const head = this.#take(bytes, at, "\r\n\r\n", this.#headBytesLeft, headTooLarge);
    if (head === undefined) return bytes.length;
    this.#headBytesLeft -= head.length;
    const { line, fields } = this.#heads.read(head);
    if (line.status === 101) throw new ResponseFault("the response changes the protocol");
    // A response of 1xx comes before the one that counts. There are no more of them than fit into the largest head.
    if (line.status >= 200) this.#beginBody(line, fields);
    else if (!saysKept(fields.connection, line.minorVersion))
      throw new ResponseFault("a response of 1xx says that it ends the connection");
    return this.#textEnd;
  }

  #beginBody({ minorVersion, status }: StatusLine, fields: HttpFields): void {
    const { connection } = fields;
    const length = lengthOf(fields["content-length"]);
    const isChunked = saysChunked(fields["transfer-encoding"], minorVersion);
    if (length !== undefined && isChunked) throw new ResponseFault("the response has a length, and comes in chunks");
    const hasNoBody = this.#isToHead || status === 204 || status === 304;
    if (!hasNoBody && length === undefined && !isChunked)
      throw new ResponseFault("the response ends with its connection");
    // What has no body by its status, and says that it has one, may be followed by it.
    const isDoubtful = hasNoBody && !this.#isToHead && (isChunked || (length ?? 0) > 0);
    this.#isReusable = !isDoubtful && saysKept(connection, minorVersion);
    this.#bytesLeft = hasNoBody ? 0 : (length ?? 0);
    this.#state = isChunked && !hasNoBody ? "chunk-line" : "body";
    this.#parts.onHead(status, fields);
    if (this.#state === "body" && this.#bytesLeft === 0) this.#end({});
  }

  #readBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#bytesLeft);
    this.#bytesLeft -= end - at;
    this.#parts.onBody(bytes.subarray(at, end));
    if (this.#bytesLeft > 0) return end;
    if (this.#state === "body") this.#end({});
    else this.#state = "chunk-end";
    return end;
  }

  #readChunkLine(bytes: Buffer, at: number): number {
    const line = this.#take(bytes, at, "\r\n", chunkLineBytesMax, badChunk);
    if (line === undefined) return bytes.length;
    const [, digits] = chunkPattern.exec(line) ?? [];
    if (digits === undefined) throw new ResponseFault("a chunk of the response has no length");
    this.#bytesLeft = Number.parseInt(digits, 16);
    this.#state = this.#bytesLeft === 0 ? "trailers" : "chunk";
    return this.#textEnd;
  }

  #readChunkEnd(bytes: Buffer, at: number): number {
    const line = this.#take(bytes, at, "\r\n", 2, badChunk);
    if (line === undefined) return bytes.length;
    this.#state = "chunk-line";
    return this.#textEnd;
  }

  /** Trailers end with an empty line, or are one. */
  #readTrailers(bytes: Buffer, at: number): number {
    const isNone = (this.#text || String.fromCharCode(bytes[at] ?? 0)).startsWith("\r");
    const text = isNone
      ? this.#take(bytes, at, "\r\n", 2, badChunk)
      : this.#take(bytes, at, "\r\n\r\n", this.#headBytesLeft, headTooLarge);
    if (text === undefined) return bytes.length;
    this.#end(isNone ? {} : readTrailers(text));
    return this.#textEnd;
  }

  #end(trailers: HttpFields): void {
    this.#state = "over";
    this.#parts.onEnd(trailers, this.#isReusable);
  }

  /**
   * Returns the text up to an ending, which is a part of it, once that has arrived. Throws `tooLong` where that is not
   * within `bytesMax`.
   */
  #take(bytes: Buffer, at: number, ending: string, bytesMax: number, tooLong: () => Error): string | undefined {
    const earlier = this.#text;
    const text = earlier + bytes.toString("latin1", at, Math.min(bytes.length, at + bytesMax));
    const found = text.indexOf(ending, Math.max(0, earlier.length - ending.length));
    const end = found + ending.length;
    if (found === -1 ? text.length >= bytesMax : end > bytesMax) throw tooLong();
    this.#text = found === -1 ? text : "";
    if (found === -1) return undefined;
    this.#textEnd = at + end - earlier.length;
    return end === text.length ? text : text.slice(0, end);
  }
}

/** A length, and extensions that nobody reads. */
const chunkPattern = /^([\da-f]{1,12})(?:;[\w!#$%&'*+.^`|~-]+(?:=[\w!#$%&'*+.^`|~-]+)?)*\r\n$/i;

const headTooLarge = () => new ResponseHeadTooLarge("the head or the trailers of the response are too large");
const badChunk = () => new ResponseFault("a chunk of the response does not end where it should");

function lengthOf(value: string | readonly string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
  throw new ResponseFault("the length of the response is no number");
}

function saysChunked(value: string | readonly string[] | undefined, minorVersion: 0 | 1): boolean {
  if (value === undefined) return false;
  if (typeof value === "string" && value.toLowerCase() === "chunked" && minorVersion === 1) return true;
  throw new ResponseFault("the response has a transfer encoding that nobody asked for");
}

/** Whether the connection is kept, by its field (RFC 9112, section 9.3). */
function saysKept(value: string | readonly string[] | undefined, minorVersion: 0 | 1): boolean {
  if (value === undefined) return minorVersion === 1;
  if (value === "keep-alive") return true;
  const options = `${value}`.toLowerCase().split(/[\t ]*,[\t ]*/);
  return !options.includes("close") && (minorVersion === 1 || options.includes("keep-alive"));
}
