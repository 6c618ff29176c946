import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import { arrivedBody, endWithBody, isAnswered } from "@rialto/http";
import { bytesOf, type Encoded } from "../codec/message-codec.ts";
import { abortedRequest, resetStream } from "./client-gone.ts";

/** Headers or trailers that are sent, with names in lower case. */
export type Fields = Record<string, string | string[]>;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Fields;
  readonly body?: Encoded | undefined;
  /** HTTP's trailers, which only gRPC has. They are sent where they are given, also when there are none in them. */
  readonly trailers?: Fields | undefined;
}

/** The request and the answer of one call, whichever objects of Node carry them. */
export interface Exchange {
  readonly method: string;
  /** Path and query, as they were received. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /** The whole body where it is here already, as most are; it is taken. Undefined where it has to be received. */
  arrived(): Uint8Array | undefined;
  /** The whole URL. Throws where the client's host is none. */
  url(): string;
  /** The address of whoever is connected; undefined where the connection is closed. */
  remoteAddress(): string | undefined;
  /** Whether the client went away, or has its answer. */
  isOver(): boolean;
  /** Why the client went away, where it said so. */
  goneReason(): Error | undefined;
  /** Calls `listener` when the client went away. Returns a function that takes it out. */
  onGone(listener: () => void): () => void;
  /** Sends the answer, in one write where it fits. What the client still sends is read and dropped. */
  send(answer: Answer): void;
  /** Ends the exchange without an answer: its connection of HTTP/1.1, or its stream of HTTP/2 with an error. */
  abort(): void;
}

/** An exchange by the request and the response of Node, over HTTP/1.1 or by the compatibility API of HTTP/2. */
export class MessageExchange implements Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the body was taken as a whole: then nothing is left to be dropped. */
  #isTaken = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
  }

  get method(): string {
    return this.request.method ?? "";
  }

  get target(): string {
    return this.request.url ?? "";
  }

  get headers(): IncomingHttpHeaders {
    return this.request.headers;
  }

  get body(): Readable {
    return this.request;
  }

  arrived(): Uint8Array | undefined {
    const body = arrivedBody(this.request);
    this.#isTaken ||= body !== undefined;
    return body;
  }

  url(): string {
    const { socket, headers } = this.request;
    const authority = "authority" in this.request ? this.request.authority : headers.host;
    return new URL(this.target, `${"encrypted" in socket && socket.encrypted ? "https" : "http"}://${authority}`).href;
  }

  remoteAddress(): string | undefined {
    return this.request.socket.remoteAddress;
  }

  isOver(): boolean {
    return isAnswered(this.response);
  }

  goneReason(): Error | undefined {
    const { request } = this;
    if (isOfStream(request)) return resetStream(request.stream.rstCode);
    return request.errored === null ? undefined : abortedRequest(request.errored);
  }

  onGone(listener: () => void): () => void {
    this.response.once("close", listener);
    return () => this.response.off("close", listener);
  }

  send({ status, headers, body, trailers }: Answer): void {
    const { request, response } = this;
    response.writeHead(status, headers);
    if (trailers !== undefined) response.addTrailers(joined(trailers));
    // Node holds the head back until here: it goes with the body and the trailers.
    if (trailers === undefined) endWithBody(response, body);
    else if (typeof body === "string") response.end(body, "latin1");
    else response.end(body);
    if (!this.#isTaken && !isRead(request)) request.resume();
  }

  abort(): void {
    // Node's request of HTTP/2 leaves its stream open.
    if (isOfStream(this.request)) this.request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else this.request.destroy();
  }
}

/** Whether nothing is left to be read and dropped. Node says that a body has ended one turn after it was read. */
function isRead(request: IncomingMessage): boolean {
  return request.readableEnded || (request.complete && request.readableDidRead && request.readableLength === 0);
}

/** Node's type of trailers has no lists. */
function joined(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat().join(", ")]));
}

function isOfStream(request: object): request is { readonly stream: ServerHttp2Stream } {
  return "stream" in request;
}

/** An exchange by a stream of HTTP/2 itself. */
export class StreamExchange implements Exchange {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.stream = stream;
    this.headers = headers;
  }

  get method(): string {
    return pseudo(this.headers, constants.HTTP2_HEADER_METHOD);
  }

  get target(): string {
    return pseudo(this.headers, constants.HTTP2_HEADER_PATH);
  }

  get body(): Readable {
    return this.stream;
  }

  arrived(): undefined {
    return undefined;
  }

  url(): string {
    const authority = pseudo(this.headers, constants.HTTP2_HEADER_AUTHORITY) || this.headers.host;
    const isEncrypted = this.stream.session?.encrypted === true;
    return new URL(this.target, `${isEncrypted ? "https" : "http"}://${authority}`).href;
  }

  remoteAddress(): string | undefined {
    const { session } = this.stream;
    // The socket of a session that is over throws.
    return session === undefined || session.destroyed ? undefined : session.socket.remoteAddress;
  }

  isOver(): boolean {
    return this.stream.destroyed || this.stream.closed || this.stream.writableEnded;
  }

  goneReason(): Error | undefined {
    return resetStream(this.stream.rstCode);
  }

  onGone(listener: () => void): () => void {
    this.stream.once("close", listener);
    return () => this.stream.off("close", listener);
  }

  send({ status, headers, body, trailers }: Answer): void {
    const { stream } = this;
    const head = { ...headers, [constants.HTTP2_HEADER_STATUS]: status };
    const isEmpty = body === undefined || body.length === 0;
    if (trailers === undefined) {
      stream.respond(head, { endStream: isEmpty });
    } else {
      stream.respond(head, { waitForTrailers: true });
      stream.once("wantTrailers", () => sendTrailers(stream, trailers));
    }
    if (isEmpty) stream.end();
    else stream.end(bytesOf(body));
    if (!stream.readableEnded) stream.resume();
  }

  abort(): void {
    this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Resets the stream where its trailers cannot be sent: HTTP/2 has no `connection`, which a handler may have set. */
function sendTrailers(stream: ServerHttp2Stream, trailers: Fields): void {
  try {
    stream.sendTrailers(trailers);
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

function pseudo(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}
