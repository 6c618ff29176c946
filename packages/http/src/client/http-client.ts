import type { IncomingHttpHeaders } from "node:http";
import type { ConnectionOptions } from "node:tls";

/** The fields of a request, a response or its trailers, by name in lower case. */
export type HttpFields = IncomingHttpHeaders;

/** A request whose body is known as a whole. */
export interface HttpRequest {
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  /** The HTTP method. */
  readonly verb: string;
  readonly fields: HttpFields;
  /** A field in the place of the one of its name among `fields`, or beside them: an attempt's own. */
  readonly replaced?: readonly [name: string, value: string] | undefined;
  readonly body: Uint8Array | undefined;
}

/**
 * Gets the response to one request as it arrives: its head, its body in parts, then `onEnd` or `onError`, once. What
 * `onHead` or `onData` throws ends the request, and comes back by `onError`.
 */
export interface ResponseReceiver {
  onHead(status: number, fields: HttpFields): void;
  onData(part: Uint8Array): void;
  /** The response is whole. `fields` are its trailers. */
  onEnd(fields: HttpFields): void;
  /** There is no whole response, for a reason of Node's or of the HTTP client's, or what the receiver threw. */
  onError(reason: unknown): void;
}

/** A request that was sent. */
export interface RequestInProgress {
  /** Ends it. Its receiver gets the reason. It does nothing after the response. */
  cancel(reason: Error): void;
}

/** Sends requests whose bodies are known, over connections that it keeps. */
export interface HttpClient {
  send(request: HttpRequest, receiver: ResponseReceiver): RequestInProgress;
  /** Closes the connections. Requests in progress fail. */
  close(): Promise<void>;
}

/** TLS of a client: whom it trusts, and by which certificate it is known. */
export type ClientTls = Pick<
  ConnectionOptions,
  "ca" | "cert" | "key" | "passphrase" | "rejectUnauthorized" | "servername" | "minVersion" | "maxVersion" | "ciphers"
>;
