import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { HttpFields, HttpRequest } from "@rialto/http";
import type { GivenHeaders } from "./request-fields.ts";

/** What is the same for all calls of one method. */
export interface UnaryMethod<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  readonly desc: DescMethodUnary<I, O>;
  readonly url: string;
  readonly origin: string;
  readonly path: string;
  /** Throw a `ConnectError`, also for a message over its limit. */
  serialize(message: MessageShape<I>): Uint8Array;
  parse(bytes: Uint8Array): MessageShape<O>;
}

/** A request before its protocol wrote it. */
export type RequestHead = Pick<HttpRequest, "origin" | "path" | "fields">;

/** Unary calls in one of the protocols. */
export interface UnaryProtocol {
  /** Returns the fields that a request has by the protocol, and then those of its caller. */
  requestFields(timeoutMs: number | undefined, given: GivenHeaders): HttpFields;
  /** Writes a request with its message. It may change the fields. */
  write(method: UnaryMethod, head: RequestHead, message: Uint8Array): HttpRequest | Promise<HttpRequest>;
  createReader(method: UnaryMethod): ResponseReader;
}

/** The message of a response, of whatever type. */
export type ResponseMessage = MessageShape<DescMessage>;

/** Reads one response, as it arrives. Each step throws a `ConnectError` that ends the call. */
export interface ResponseReader {
  onHead(status: number, fields: HttpFields): void;
  onData(part: Uint8Array): void;
  /** Returns the message of a response that succeeded. */
  onEnd(trailers: HttpFields): ResponseMessage | Promise<ResponseMessage>;
  /** After `onEnd`: what came beside the message. Each call makes new ones. */
  header(): Headers;
  trailer(): Headers;
}
