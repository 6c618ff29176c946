import { Code, ConnectError } from "@connectrpc/connect";
import { isCutOff } from "@rialto/http";
import type { Exchange } from "./exchange.ts";

/** The client went away before its request was whole: nobody is left to be answered. */
export class RequestGone extends Error {
  override name = "RequestGone";
}

/**
 * Reads a whole body: at once where it has arrived. Throws or rejects with RESOURCE_EXHAUSTED as soon as it is known to
 * have more than `bytesMax` bytes, by its length or by what has arrived; what arrives later is dropped by whoever
 * answers.
 */
export function readBody(exchange: Exchange, bytesMax: number): Uint8Array | Promise<Uint8Array> {
  const arrived = exchange.arrived();
  if (arrived !== undefined && arrived.byteLength <= bytesMax) return arrived;
  const length = exchange.headers["content-length"];
  const promised = length === undefined ? Number.NaN : Number.parseInt(length, 10);
  if (promised > bytesMax) throw tooLarge(bytesMax, promised);
  if (arrived !== undefined) throw tooLarge(bytesMax);
  return read(exchange, (bytes) => {
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    return false;
  });
}

/**
 * Reads the body of a unary call of gRPC. It is enough when a second message is complete, since no unary call has two.
 * Envelopes with `skippedFlag` are no messages. Rejects with RESOURCE_EXHAUSTED where one says that it has more than
 * `bytesMax` bytes, before these arrive.
 */
export function readEnvelopes(
  exchange: Exchange,
  bytesMax: number,
  skippedFlag: number,
): Uint8Array | Promise<Uint8Array> {
  const arrived = exchange.arrived();
  if (arrived !== undefined) return arrived;
  // Where the next head of an envelope is complete, or its message.
  let boundary = envelopeHeadBytes;
  let isHead = true;
  let envelopes = 0;
  let messages = 0;
  return read(exchange, (bytes, received) => {
    while (bytes >= boundary) {
      if (isHead) {
        const size = received().readUInt32BE(boundary - 4);
        if (size > bytesMax) throw tooLarge(bytesMax, size);
        if ((received().readUInt8(boundary - envelopeHeadBytes) & skippedFlag) === 0) messages += 1;
        boundary += size;
      } else {
        envelopes += 1;
        boundary += envelopeHeadBytes;
      }
      isHead = !isHead;
    }
    return (messages >= 2 && isHead) || envelopes >= envelopesMax;
  });
}

/** Flags and length, before each message. */
export const envelopeHeadBytes = 5;

/** A message, and trailers of gRPC-Web, which are none. More are not waited for, and not read. */
export const envelopesMax = 8;

/** The error of a message that is larger than it may be; `size` where it is known before it arrived. */
export function tooLarge(bytesMax: number, size?: number): ConnectError {
  const told = size === undefined ? "message size" : `message size ${size}`;
  return new ConnectError(`${told} is larger than configured readMaxBytes ${bytesMax}`, Code.ResourceExhausted);
}

/**
 * Reads a body until it ends, or `isEnough` says so, which is called after each chunk with the number of bytes and a
 * function that joins them. Rejects with what `isEnough` throws.
 */
function read(
  { body, headers }: Exchange,
  isEnough: (bytes: number, received: () => Buffer) => boolean,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    const received = (): Buffer => {
      const [first] = chunks;
      if (chunks.length === 1 && first !== undefined) return first;
      const joined = Buffer.concat(chunks, bytes);
      chunks = [joined];
      return joined;
    };
    const stop = () => {
      body.off("data", onData);
      body.off("end", onEnd);
      body.off("close", onClose);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength;
      chunks.push(chunk);
      try {
        if (isEnough(bytes, received)) settle();
      } catch (error) {
        chunks = [];
        stop();
        reject(error);
      }
    };
    const settle = () => {
      stop();
      resolve(received());
    };
    const onEnd = () => (isCutOff(body, headers["content-length"], bytes) ? onClose() : settle());
    const onClose = () => {
      stop();
      reject(new RequestGone());
    };
    // Without a listener an aborted request would throw. It closes too.
    body.on("error", ignore);
    body.on("data", onData);
    body.on("end", onEnd);
    body.on("close", onClose);
    if (body.readableEnded) onEnd();
    else if (body.destroyed) onClose();
  });
}

function ignore(): void {}
