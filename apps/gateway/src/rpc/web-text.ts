import { base64Decode } from "@bufbuild/protobuf/wire";
import { CallError, callErrors, type HttpRequest, type HttpResponse } from "@rialto/rpc";
import { bodyOf, readBody } from "../exchange/body.ts";

/**
 * Returns true for a call in gRPC-Web's text mode: the binary protocol in base64, which is the default of Google's
 * client.
 */
export function isWebText(contentType: string | undefined): contentType is string {
  return contentType !== undefined && /^application\/grpc-web-text([+;]|$)/i.test(contentType);
}

/** Returns the content type of the same call in binary. Other content types are returned as they are. */
export function binaryTypeOf(contentType: string): string {
  return isWebText(contentType) ? contentType.replace(/-text/i, "") : contentType;
}

/** Returns the size of so many bytes in base64. */
export function textBytesOf(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

/**
 * Converts a call in text mode to binary. Its base64 may be one run or several, each with its own padding, in chunks of
 * any size. The whole body is read first, because a gRPC-Web request has one message; its size limit counts the base64.
 * Throws INVALID_REQUEST if it is not base64.
 */
export async function inBinary(
  contentType: string,
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly headers: { readonly "content-type": string }; readonly body: AsyncIterable<Uint8Array> }> {
  const bytes = decoded((await readBody(body)).toString("latin1"));
  return { headers: { "content-type": binaryTypeOf(contentType) }, body: bodyOf(bytes) };
}

/**
 * Converts a binary response to text mode. Each chunk becomes a run of base64 with its own padding, so that no part of
 * a stream waits for the next. A response that is not gRPC-Web, such as a refusal in plain HTTP, stays as it is.
 */
export function inText(answer: HttpResponse): HttpResponse {
  const type = answer.header.get("content-type") ?? "";
  if (!type.startsWith(binary)) return answer;
  const header = new Headers(answer.header);
  header.set("content-type", `${binary}-text${type.slice(binary.length)}`);
  header.delete("content-length");
  return { ...answer, header, body: encoded(answer.body) };
}

/** Makes a handler accept text mode too. */
export function acceptingWebText(
  answer: (request: HttpRequest) => Promise<HttpResponse>,
): (request: HttpRequest) => Promise<HttpResponse> {
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
    throw new CallError(callErrors.INVALID_REQUEST, { message: "The body is not valid base64." });
  }
}

async function* encoded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const { buffer, byteOffset, byteLength } of body)
    yield Buffer.from(Buffer.from(buffer, byteOffset, byteLength).toString("base64"));
}
