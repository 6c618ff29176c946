import { base64Decode } from "@bufbuild/protobuf/wire";
import { type ByteRequest, type ByteResponse, callErrors } from "@rialto/rpc";
import { refused } from "../errors/refused.ts";

/**
 * True for a call in gRPC-Web's text mode, which is the binary protocol in base64: what Google's client speaks where it
 * is told nothing else.
 */
export function isWebText(contentType: string | undefined): contentType is string {
  return contentType !== undefined && /^application\/grpc-web-text([+;]|$)/i.test(contentType);
}

/** The content type of the same call in binary; any other as it is. */
export function binaryTypeOf(contentType: string): string {
  return isWebText(contentType) ? contentType.replace(/-text/i, "") : contentType;
}

/** Returns the size of so many bytes in base64. */
export function textBytesOf(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

/**
 * A call in text mode as a service takes it, in binary. Its base64 may be one run or several, each with its padding,
 * cut into chunks anywhere. It is read to its end, for gRPC-Web has one message in a request; the bound on a body
 * counts the base64. Throws INVALID_ARGUMENT for what is none.
 */
export async function inBinary(
  contentType: string,
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly headers: { readonly "content-type": string }; readonly body: AsyncIterable<Uint8Array> }> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const bytes = decoded(Buffer.concat(chunks).toString("latin1"));
  return { headers: { "content-type": binaryTypeOf(contentType) }, body: once(bytes) };
}

/**
 * An answer in binary as text mode says it. Each chunk is a run of base64 of its own, with its padding: nothing of a
 * stream waits for what comes after it. What is no answer of gRPC-Web, a refusal in HTTP alone, stays as it is.
 */
export function inText(answer: ByteResponse): ByteResponse {
  const type = answer.header.get("content-type") ?? "";
  if (!type.startsWith(binary)) return answer;
  const header = new Headers(answer.header);
  header.set("content-type", `${binary}-text${type.slice(binary.length)}`);
  header.delete("content-length");
  return { ...answer, header, body: encoded(answer.body) };
}

/** Makes a handler of bytes take text mode too. */
export function takingWebText(
  answer: (request: ByteRequest) => Promise<ByteResponse>,
): (request: ByteRequest) => Promise<ByteResponse> {
  return async (request) => {
    const type = request.header.get("content-type") ?? undefined;
    if (!isWebText(type) || request.body === undefined) return answer(request);
    const { headers, body } = await inBinary(type, request.body);
    const header = new Headers(request.header);
    header.set("content-type", headers["content-type"]);
    return inText(await answer({ ...request, header, body }));
  };
}

const binary = "application/grpc-web";

function decoded(text: string): Uint8Array {
  try {
    return base64Decode(text);
  } catch {
    throw refused(callErrors.INVALID_REQUEST, { message: "The body is not valid base64." });
  }
}

async function* encoded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const { buffer, byteOffset, byteLength } of body)
    yield Buffer.from(Buffer.from(buffer, byteOffset, byteLength).toString("base64"));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
