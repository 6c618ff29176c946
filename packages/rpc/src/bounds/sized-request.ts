import type { DescMethod } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import type { CallError } from "../errors/call-error.ts";
import type { FieldViolation } from "../errors/error-table.ts";
import { httpMethodsOf } from "../wire/http-errors.ts";
import type { HttpRequest } from "../wire/http-message.ts";
import { protocolOf } from "../wire/wire-protocol.ts";
import {
  checkMessage,
  envelopesBytesMax,
  MessageRefused,
  noBase64,
  noCompression,
  refusalFor,
  tooLarge,
} from "./message-bounds.ts";
import type { RequestSize } from "./request-size.ts";

/** How the messages of one method are checked before they are decoded. */
export interface SizedMethod {
  readonly method: DescMethod;
  readonly size: RequestSize;
  /** The supported compressions. Connect refuses a request with another one by its head. */
  readonly compressions: readonly Compression[];
}

/**
 * Returns the request with a body that is checked while it is read: its bytes as they arrive, the message as it is
 * decompressed, its fields and its depth by a scan. A violation ends the body with an error, and is passed to
 * `onRefused`. The message of the returned request is not compressed. A GET, which has its message in its URL, becomes
 * the equivalent POST.
 */
export function sizedRequest(
  request: HttpRequest,
  sized: SizedMethod,
  onRefused: (refusal: CallError) => void,
): HttpRequest {
  const isGrpc = protocolOf(request.header).startsWith("grpc");
  const refused = (violation: FieldViolation): ConnectError => {
    const refusal = refusalFor(violation, { isGrpc });
    onRefused(refusal);
    return new ConnectError(refusal.message, Code.InvalidArgument);
  };
  const { url, body, ...rest } = request.method === "GET" ? postOf(request, sized.method, refused) : request;
  const header = new Headers(rest.header);
  const protocol = protocolOf(header);
  const isJson = /[/+]json\s*(;|$)/i.test(header.get("content-type") ?? "");
  const message = { ...sized, isJson, refused };
  if (body === undefined) return { ...rest, url, header };
  if (protocol !== "connect") {
    const name = protocol === "connect-stream" ? "connect-content-encoding" : "grpc-encoding";
    const compression = compressionOf(sized, header.get(name));
    return { ...rest, url, header, body: envelopes(body, { ...message, compression }) };
  }
  const encoding = header.get("content-encoding");
  const compression = compressionOf(sized, encoding);
  const length = Number(header.get("content-length") ?? 0);
  if (compression !== undefined || encoding === "identity") header.delete("content-encoding");
  header.delete("content-length");
  return { ...rest, url, header, body: whole(body, length, { ...message, compression }) };
}

interface MessageParts extends SizedMethod {
  readonly isJson: boolean;
  readonly compression?: Compression | undefined;
  readonly refused: (violation: FieldViolation) => ConnectError;
}

/** The one message of a unary call over Connect: its body. */
async function* whole(
  body: AsyncIterable<Uint8Array>,
  length: number,
  message: MessageParts,
): AsyncGenerator<Uint8Array, void> {
  if (length > message.size.bytes) throw message.refused(tooLarge(message.size));
  const chunks: Uint8Array[] = [];
  for await (const chunk of limited(body, message.size.bytes, message)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  yield scanned(
    message.compression === undefined ? bytes : await decompressed(bytes, message.compression, message),
    message,
  );
}

/** The messages of a stream, or of gRPC, each in its envelope. */
async function* envelopes(body: AsyncIterable<Uint8Array>, message: MessageParts): AsyncGenerator<Uint8Array, void> {
  let waiting = Buffer.alloc(0);
  let envelopesRead = 0;
  for await (const chunk of limited(body, message.size.bytes + envelopesBytesMax, message)) {
    waiting = waiting.length === 0 ? Buffer.from(chunk) : Buffer.concat([waiting, chunk]);
    while (waiting.length >= headBytes) {
      const length = waiting.readUInt32BE(1);
      if (length > message.size.bytes) throw message.refused(tooLarge(message.size));
      if (waiting.length < headBytes + length) break;
      envelopesRead += 1;
      if (envelopesRead > envelopesMax) throw message.refused(tooMany);
      yield await envelope(waiting.subarray(0, headBytes + length), message);
      waiting = waiting.subarray(headBytes + length);
    }
  }
  // The rest is no complete envelope: Connect refuses it.
  if (waiting.length > 0) yield waiting;
}

async function envelope(bytes: Buffer, message: MessageParts): Promise<Uint8Array> {
  const flags = bytes.readUInt8(0);
  const isCompressed = (flags & compressedFlag) !== 0;
  // The end of a stream, and a message with an unknown compression, are not decoded as messages.
  if ((flags & ~compressedFlag) !== 0 || (isCompressed && message.compression === undefined)) return bytes;
  const content = bytes.subarray(headBytes);
  const plain = scanned(
    isCompressed && message.compression !== undefined
      ? await decompressed(content, message.compression, message)
      : content,
    message,
  );
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(plain.length, 1);
  return Buffer.concat([head, plain]);
}

async function* limited(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
  message: MessageParts,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw message.refused(tooLarge(message.size));
    yield chunk;
  }
}

async function decompressed(bytes: Uint8Array, compression: Compression, message: MessageParts): Promise<Uint8Array> {
  try {
    return await compression.decompress(new Uint8Array(bytes), message.size.bytes);
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.ResourceExhausted)
      throw message.refused(tooLarge(message.size));
    throw message.refused(noCompression(compression.name));
  }
}

function scanned(bytes: Uint8Array, message: MessageParts): Uint8Array {
  try {
    return checkMessage(bytes, message);
  } catch (error) {
    throw error instanceof MessageRefused ? message.refused(error.violation) : error;
  }
}

function compressionOf({ compressions }: SizedMethod, name: string | null): Compression | undefined {
  return compressions.find((compression) => compression.name === name);
}

/**
 * Converts a GET to the equivalent POST. A request that is no GET of the protocol stays as it is: Connect refuses it.
 */
function postOf(
  request: HttpRequest,
  method: DescMethod,
  refused: (violation: FieldViolation) => ConnectError,
): HttpRequest {
  const query = new URL(request.url).searchParams;
  const encoding = query.get("encoding");
  if (!httpMethodsOf(method).includes("GET") || (encoding !== "json" && encoding !== "proto")) return request;
  const header = new Headers(request.header);
  header.set("content-type", `application/${encoding}`);
  header.delete("content-encoding");
  header.delete("content-length");
  const compression = query.get("compression");
  if (compression !== null && compression !== "") header.set("content-encoding", compression);
  return { ...request, method: "POST", header, body: messageIn(query, refused) };
}

async function* messageIn(
  query: URLSearchParams,
  refused: (violation: FieldViolation) => ConnectError,
): AsyncGenerator<Uint8Array, void> {
  const text = query.get("message") ?? "";
  if (query.get("base64") !== "1") return yield Buffer.from(text);
  let bytes: Uint8Array;
  try {
    bytes = base64Decode(text);
  } catch {
    throw refused(noBase64);
  }
  yield bytes;
}

/** Flags and length, before each message. */
const headBytes = 5;
const compressedFlag = 1;

/** A message, the end of its stream, and some that are skipped. Each of them may be compressed, and so costs work. */
const envelopesMax = 8;
const tooMany: FieldViolation = { field: "", description: "must be one message", rule: "request.envelopes" };
