import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Compression,
  compressedFlag,
  type EnvelopedMessage,
  envelopeDecompress,
} from "@connectrpc/connect/protocol";
import {
  contentTypeJson,
  contentTypeProto,
  trailerFlag,
  trailerParse,
  validateResponseWithCompression,
  validateTrailer,
} from "@connectrpc/connect/protocol-grpc-web";
import type { HttpFields } from "@rialto/http";
import { toWebHeaders } from "../headers/web-headers.ts";
import { EnvelopeReader, writeEnvelope } from "./envelopes.ts";
import { extraMessage, grpcEncodings, missingMessage } from "./grpc-protocol.ts";
import { addCallerFields } from "./request-fields.ts";
import type { ResolvedOptions } from "./transport-options.ts";
import type { ResponseMessage, ResponseReader, UnaryMethod, UnaryProtocol } from "./unary-protocol.ts";
import { userAgent } from "./user-agent.ts";

/** Unary calls in gRPC-Web (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md). */
export function createGrpcWebProtocol(o: ResolvedOptions): UnaryProtocol {
  const contentType = o.useBinaryFormat ? contentTypeProto : contentTypeJson;
  const own: HttpFields = { "content-type": contentType, "x-grpc-web": "1", ...grpcEncodings(o) };
  return {
    requestFields(timeoutMs, given) {
      const fields = { ...own };
      if (timeoutMs !== undefined) fields["grpc-timeout"] = `${timeoutMs}m`;
      addCallerFields(fields, given);
      const agent = fields["user-agent"] ?? fields["x-user-agent"] ?? userAgent;
      fields["user-agent"] = `${agent}`;
      fields["x-user-agent"] = agent;
      return fields;
    },
    write: (_, head, message) => writeEnvelope(head, message, o),
    createReader: (method) => new GrpcWebReader(method, o),
  };
}

class GrpcWebReader implements ResponseReader {
  readonly #method: UnaryMethod;
  readonly #o: ResolvedOptions;
  readonly #body: EnvelopeReader;
  #fields: HttpFields = {};
  #trailer: Uint8Array = new Uint8Array();
  #compression: Compression | undefined;
  /** The error of a response that has its status in its head. */
  #headerError: ConnectError | undefined;

  constructor(method: UnaryMethod, o: ResolvedOptions) {
    this.#method = method;
    this.#o = o;
    this.#body = new EnvelopeReader(o.readMaxBytes);
  }

  onHead(status: number, fields: HttpFields): void {
    this.#fields = fields;
    const encoding = fields["grpc-encoding"];
    this.#compression = this.#o.acceptCompression.find(({ name }) => name === encoding);
    const isPlain =
      status === 200 &&
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
    const { envelopes } = this.#body;
    if (envelopes.length < 2) return;
    const trailers = envelopes.filter(isTrailer).length;
    if (trailers > 1) throw new ConnectError("protocol error: received extra trailer", Code.Unimplemented);
    if (envelopes.length - trailers > 1) throw extraMessage();
  }

  onEnd(): ResponseMessage | Promise<ResponseMessage> {
    this.#body.end();
    const { envelopes } = this.#body;
    if (!envelopes.some(isCompressed)) return this.#read(envelopes);
    const plain = envelopes.map((each) => envelopeDecompress(each, this.#compression ?? null, this.#o.readMaxBytes));
    return Promise.all(plain).then((all) => this.#read(all));
  }

  #read(envelopes: readonly EnvelopedMessage[]): ResponseMessage {
    const body = envelopes.find((each) => !isTrailer(each));
    const message = body === undefined ? undefined : this.#method.parse(body.data);
    const trailer = envelopes.find(isTrailer);
    if (trailer === undefined) throw this.#headerError ?? this.#missingTrailer();
    this.#trailer = trailer.data;
    const isOk = message !== undefined && plainSuccess.test(Buffer.from(trailer.data).toString("latin1"));
    if (!isOk) validateTrailer(this.trailer(), this.header());
    if (message === undefined) throw missingMessage(this.trailer().has("grpc-status"));
    return message;
  }

  #missingTrailer(): ConnectError {
    const code = this.#fields["grpc-status"] === undefined ? Code.Unknown : Code.Unimplemented;
    return new ConnectError("protocol error: missing trailer", code);
  }

  header(): Headers {
    return toWebHeaders(this.#fields);
  }

  trailer(): Headers {
    return trailerParse(new Uint8Array(this.#trailer));
  }
}

/** A trailer that says success and nothing else. */
const plainSuccess = /^grpc-status: ?0\r\n$/i;

function isTrailer({ flags }: EnvelopedMessage): boolean {
  return (flags & trailerFlag) === trailerFlag;
}

function isCompressed({ flags }: EnvelopedMessage): boolean {
  return (flags & compressedFlag) === compressedFlag;
}
