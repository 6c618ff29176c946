import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { appendHeaders, Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import {
  contentTypeUnaryJson,
  contentTypeUnaryProto,
  errorFromJsonBytes,
  protocolVersion,
  trailerDemux,
  validateResponseWithCompression,
} from "@connectrpc/connect/protocol-connect";
import type { HttpFields } from "@rialto/http";
import { toWebHeaders } from "../headers/web-headers.ts";
import { addCallerFields } from "./request-fields.ts";
import type { ResolvedOptions } from "./transport-options.ts";
import type { RequestHead, ResponseReader, UnaryMethod, UnaryProtocol } from "./unary-protocol.ts";
import { userAgent } from "./user-agent.ts";

/**
 * Unary calls in the Connect protocol (https://connectrpc.com/docs/protocol#unary-request). What is common is read from
 * the fields as they arrived; anything else goes to the official functions, so that it means what they say.
 */
export function createConnectProtocol(o: ResolvedOptions): UnaryProtocol {
  const contentType = o.useBinaryFormat ? contentTypeUnaryProto : contentTypeUnaryJson;
  const own: HttpFields = { "content-type": contentType, "connect-protocol-version": protocolVersion };
  if (o.sendCompression !== null) own["content-encoding"] = o.sendCompression.name;
  if (o.acceptCompression.length > 0) own["accept-encoding"] = o.acceptCompression.map(({ name }) => name).join(",");
  return {
    requestFields(timeoutMs, given) {
      const fields = { ...own };
      if (timeoutMs !== undefined) fields["connect-timeout-ms"] = `${timeoutMs}`;
      addCallerFields(fields, given);
      fields["user-agent"] ??= userAgent;
      return fields;
    },
    write({ desc }, head, message) {
      const isGet = o.useHttpGet === true && desc.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
      const write = (body: Uint8Array) => (isGet ? asGet(head, body, o) : ({ ...head, verb: "POST", body } as const));
      if (o.sendCompression !== null && message.byteLength > o.compressMinBytes) {
        head.fields["content-encoding"] = o.sendCompression.name;
        return o.sendCompression.compress(message).then(write);
      }
      delete head.fields["content-encoding"];
      return write(message);
    },
    createReader: (method) => new ConnectReader(method, contentType, o),
  };
}

/** Fields that a GET does not have: its query has what they say, or it has no body that they would be about. */
const bodyFields = [
  "connect-protocol-version",
  "content-type",
  "content-length",
  "content-encoding",
  "accept-encoding",
] as const;

/** The request as a GET, with its parameters in the order that the protocol asks for. */
function asGet({ origin, path, fields }: RequestHead, message: Uint8Array, o: ResolvedOptions) {
  const compression = fields["content-encoding"];
  const isBase64 = o.useBinaryFormat || compression !== undefined;
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const query = [
    `connect=v${protocolVersion}`,
    isBase64 ? "&base64=1" : "",
    compression === undefined ? "" : `&compression=${encodeURIComponent(compression)}`,
    `&encoding=${o.useBinaryFormat ? "proto" : "json"}`,
    `&message=${isBase64 ? bytes.toString("base64url") : encodeURIComponent(bytes.toString())}`,
  ].join("");
  for (const name of bodyFields) delete fields[name];
  return { origin, path: `${path}?${query}`, fields, verb: "GET", body: undefined } as const;
}

class ConnectReader implements ResponseReader {
  readonly #method: UnaryMethod;
  readonly #contentType: string;
  readonly #o: ResolvedOptions;
  #fields: HttpFields = {};
  #compression: Compression | undefined;
  /** The error by the status, where the body is that of an error. */
  #unaryError: ConnectError | undefined;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(method: UnaryMethod, contentType: string, o: ResolvedOptions) {
    this.#method = method;
    this.#contentType = contentType;
    this.#o = o;
  }

  onHead(status: number, fields: HttpFields): void {
    this.#fields = fields;
    const isPlain =
      status === 200 && fields["content-type"] === this.#contentType && fields["content-encoding"] === undefined;
    if (!isPlain) this.#validate(status, fields);
    const length = Number(fields["content-length"] ?? 0);
    if (length > this.#o.readMaxBytes) throw tooLarge(`${length} `, this.#o);
  }

  #validate(status: number, fields: HttpFields): void {
    const { acceptCompression, useBinaryFormat } = this.#o;
    const headers = toWebHeaders(fields);
    const found = validateResponseWithCompression("unary", acceptCompression, useBinaryFormat, status, headers);
    this.#compression = found.compression;
    if (found.isUnaryError) this.#unaryError = found.unaryError;
  }

  onData(part: Uint8Array): void {
    this.#bytes += part.byteLength;
    if (this.#bytes > this.#o.readMaxBytes) throw tooLarge("", this.#o);
    this.#parts.push(part);
  }

  onEnd() {
    const [first = new Uint8Array(), ...rest] = this.#parts;
    const body = rest.length === 0 ? first : Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    if (this.#compression === undefined) return this.#parse(body);
    return this.#compression.decompress(new Uint8Array(body), this.#o.readMaxBytes).then((bytes) => this.#parse(bytes));
  }

  #parse(body: Uint8Array) {
    if (this.#unaryError === undefined) return this.#method.parse(body);
    throw errorFromJsonBytes(body, appendHeaders(...this.#demuxed()), this.#unaryError);
  }

  #demuxed(): [header: Headers, trailer: Headers] {
    return trailerDemux(toWebHeaders(this.#fields));
  }

  header(): Headers {
    return this.#demuxed()[0];
  }

  trailer(): Headers {
    return this.#demuxed()[1];
  }
}

function tooLarge(size: string, { readMaxBytes }: ResolvedOptions): ConnectError {
  const message = `message size ${size}is larger than configured readMaxBytes ${readMaxBytes}`;
  return new ConnectError(message, Code.ResourceExhausted);
}
