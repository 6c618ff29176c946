import type { Transport } from "@connectrpc/connect";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-grpc-web";
import { createNodeHttpClient } from "@connectrpc/connect-node";

const bytesMax = 16 * 1024 * 1024;

/** A gRPC-Web client in text mode, as in browsers: it sends and reads the binary protocol in base64. */
export function createGrpcWebTextTransport(o: {
  readonly baseUrl: string;
  readonly httpVersion: "1.1" | "2";
}): Transport {
  return createTransport({
    baseUrl: o.baseUrl,
    httpClient: inBase64(createNodeHttpClient({ httpVersion: o.httpVersion })),
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: bytesMax,
    readMaxBytes: bytesMax,
    writeMaxBytes: bytesMax,
  });
}

function inBase64(fetch: UniversalClientFn): UniversalClientFn {
  return async (request) => {
    const header = new Headers(request.header);
    header.set("content-type", "application/grpc-web-text");
    const response = await fetch({ ...request, header, body: encoded(request.body ?? none()) });
    const type = response.header.get("content-type") ?? "";
    if (!type.startsWith("application/grpc-web-text")) throw new Error(`the answer is ${type}`);
    const answered = new Headers(response.header);
    answered.set("content-type", "application/grpc-web+proto");
    return { ...response, header: answered, body: decoded(response.body) };
  };
}

/**
 * Encodes each part of a message as a run of its own, with its padding, and sends it in pieces that ignore base64's
 * groups of four.
 */
async function* encoded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of body) {
    const base64 = Buffer.from(Buffer.from(chunk).toString("base64"));
    for (let at = 0; at < base64.length; at += 7) yield base64.subarray(at, at + 7);
  }
}

/**
 * Decodes groups of four as soon as they are complete, as a browser's client does. Bytes left over at the end are an
 * error.
 */
async function* decoded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let text = "";
  for await (const chunk of body) {
    text += Buffer.from(chunk).toString("latin1");
    const whole = text.length - (text.length % 4);
    // A run ends with its padding, or with the bytes that have arrived.
    for (const [run] of text.slice(0, whole).matchAll(/[^=]+={0,2}/g)) yield Buffer.from(run, "base64");
    text = text.slice(whole);
  }
  if (text !== "") throw new Error(`the answer ends in the middle of its base64: ${text}`);
}

async function* none(): AsyncGenerator<Uint8Array, void> {}
