import { Code, ConnectError } from "@connectrpc/connect";
import { type EnvelopedMessage, encodeEnvelope, envelopeCompress } from "@connectrpc/connect/protocol";
import type { HttpRequest } from "@rialto/http";
import type { ResolvedOptions } from "./transport-options.ts";
import type { RequestHead } from "./unary-protocol.ts";

/** Writes a request of gRPC or gRPC-Web: its message in one envelope, compressed where that is wanted. */
export function writeEnvelope(
  head: RequestHead,
  message: Uint8Array,
  { sendCompression, compressMinBytes }: ResolvedOptions,
): HttpRequest | Promise<HttpRequest> {
  const write = (flags: number, data: Uint8Array) =>
    ({ ...head, verb: "POST", body: encodeEnvelope(flags, data) }) as const;
  if (sendCompression === null || message.byteLength < compressMinBytes) return write(0, message);
  const envelope = { flags: 0, data: new Uint8Array(message) };
  return envelopeCompress(envelope, sendCompression, compressMinBytes).then(({ flags, data }) => write(flags, data));
}

const headBytes = 5;

/**
 * Splits a response into envelopes as it arrives: a flag, the length of the message in four bytes, the message. A
 * message over the limit is refused by its length, before it is received.
 */
export class EnvelopeReader {
  readonly envelopes: EnvelopedMessage[] = [];
  readonly #readMaxBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  /** How many bytes are needed for the next step. */
  #needed = headBytes;

  constructor(readMaxBytes: number) {
    this.#readMaxBytes = readMaxBytes;
  }

  /** Throws a `ConnectError` for a message that is too large. */
  push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#bytes += part.byteLength;
    while (this.#bytes >= this.#needed) {
      const bytes = this.#joined();
      const length = bytes.readUInt32BE(1);
      if (length > this.#readMaxBytes) throw tooLarge(length, this.#readMaxBytes);
      this.#needed = headBytes + length;
      if (bytes.byteLength < this.#needed) {
        this.#keep(bytes);
        continue;
      }
      this.envelopes.push({ flags: bytes.readUInt8(0), data: new Uint8Array(bytes.subarray(headBytes, this.#needed)) });
      this.#keep(bytes.subarray(this.#needed));
      this.#needed = headBytes;
    }
  }

  /** Throws `internal` where the response ended inside of an envelope. */
  end(): void {
    if (this.#bytes > 0) throw new ConnectError("protocol error: incomplete envelope", Code.Internal);
  }

  #joined(): Buffer {
    const [first = new Uint8Array()] = this.#parts;
    if (this.#parts.length > 1) return Buffer.concat(this.#parts, this.#bytes);
    return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  }

  #keep(bytes: Uint8Array): void {
    this.#parts = bytes.byteLength === 0 ? [] : [bytes];
    this.#bytes = bytes.byteLength;
  }
}

function tooLarge(length: number, readMaxBytes: number): ConnectError {
  const message = `message size ${length} is larger than configured readMaxBytes ${readMaxBytes}`;
  return new ConnectError(message, Code.ResourceExhausted);
}
