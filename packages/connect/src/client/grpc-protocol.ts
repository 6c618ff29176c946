import { Code, ConnectError } from "@connectrpc/connect";
import { type Compression, compressedFlag, envelopeDecompress } from "@connectrpc/connect/protocol";
import {
  contentTypeJson,
  contentTypeProto,
  validateResponseWithCompression,
  validateTrailer,
} from "@connectrpc/connect/protocol-grpc";
import type { HttpFields } from "@rialto/http";
import { toWebHeaders } from "../headers/web-headers.ts";
import { EnvelopeReader, writeEnvelope } from "./envelopes.ts";
import { addCallerFields } from "./request-fields.ts";
import type { ResolvedOptions } from "./transport-options.ts";
import type { ResponseMessage, ResponseReader, UnaryMethod, UnaryProtocol } from "./unary-protocol.ts";
import { userAgent } from "./user-agent.ts";

/**
 * Unary calls in gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). As for Connect, what is
 * uncommon in a response goes to the official functions.
 */
export function createGrpcProtocol(o: ResolvedOptions): UnaryProtocol {
  const contentType = o.useBinaryFormat ? contentTypeProto : contentTypeJson;
  const own: HttpFields = { "content-type": contentType, te: "trailers", ...grpcEncodings(o) };
  return {
    requestFields(timeoutMs, given) {
      const fields = { ...own };
      if (timeoutMs !== undefined) fields["grpc-timeout"] = `${timeoutMs}m`;
      addCallerFields(fields, given);
      fields["user-agent"] ??= userAgent;
      return fields;
    },
    write: (_, head, message) => writeEnvelope(head, message, o),
    createReader: (method) => new GrpcReader(method, contentType, o),
  };
}

/** The fields about compression of a gRPC or gRPC-Web request. */
export function grpcEncodings({ sendCompression, acceptCompression }: ResolvedOptions): HttpFields {
  const fields: HttpFields = {};
  if (sendCompression !== null) fields["grpc-encoding"] = sendCompression.name;
  if (acceptCompression.length > 0)
    fields["grpc-accept-encoding"] = acceptCompression.map(({ name }) => name).join(",");
  return fields;
}

class GrpcReader implements ResponseReader {
  readonly #method: UnaryMethod;
  readonly #contentType: string;
  readonly #o: ResolvedOptions;
  readonly #body: EnvelopeReader;
  #fields: HttpFields = {};
  #trailers: HttpFields = {};
  #compression: Compression | undefined;
  /** The error of a response that has its status in its head. */
  #headerError: ConnectError | undefined;

  constructor(method: UnaryMethod, contentType: string, o: ResolvedOptions) {
    this.#method = method;
    this.#contentType = contentType;
    this.#o = o;
    this.#body = new EnvelopeReader(o.readMaxBytes);
  }

  onHead(status: number, fields: HttpFields): void {
    this.#fields = fields;
    const encoding = fields["grpc-encoding"];
    this.#compression = this.#o.acceptCompression.find(({ name }) => name === encoding);
    const isPlain =
      status === 200 &&
      fields["content-type"] === this.#contentType &&
      (encoding === undefined || this.#compression !== undefined) &&
      fields["grpc-status"] === undefined &&
      fields["grpc-status-details-bin"] === undefined;
    if (isPlain) return;
    const found = validateResponseWithCompression(this.#o.acceptCompression, status, toWebHeaders(fields));
    this.#compression = found.compression;
    this.#headerError = found.headerError;
  }

  onData(part: Uint8Array): void {
    this.#body.push(part);
    if (this.#body.envelopes.length > 1) throw extraMessage();
  }

  onEnd(trailers: HttpFields): ResponseMessage | Promise<ResponseMessage> {
    this.#trailers = trailers;
    this.#body.end();
    const [envelope] = this.#body.envelopes;
    if (envelope === undefined) return this.#withStatus(undefined);
    if ((envelope.flags & compressedFlag) === 0) return this.#withStatus(this.#method.parse(envelope.data));
    return envelopeDecompress(envelope, this.#compression ?? null, this.#o.readMaxBytes).then(({ data }) =>
      this.#withStatus(this.#method.parse(data)),
    );
  }

  /** Returns the message of a call that succeeded, by the status in its trailers. */
  #withStatus(message: ResponseMessage | undefined): ResponseMessage {
    const status = this.#trailers["grpc-status"];
    const isOk = status === "0" && this.#trailers["grpc-status-details-bin"] === undefined;
    if (!isOk) validateTrailer(this.trailer(), this.header());
    if (message === undefined) throw this.#headerError ?? missingMessage(status !== undefined);
    if (this.#headerError === undefined) return message;
    const text = "protocol error: received output message for unary method with error status";
    throw new ConnectError(text, Code.Unknown);
  }

  header(): Headers {
    return toWebHeaders(this.#fields);
  }

  trailer(): Headers {
    return toWebHeaders(this.#trailers);
  }
}

/** The error of a response with more than one message. */
export function extraMessage(): ConnectError {
  return new ConnectError("protocol error: received extra output message for unary method", Code.Unimplemented);
}

/** The error of a response without a message, which said that the call succeeded, or said nothing. */
export function missingMessage(hasStatus: boolean): ConnectError {
  const code = hasStatus ? Code.Unimplemented : Code.Unknown;
  return new ConnectError("protocol error: missing output message for unary method", code);
}
