import { Buffer } from "node:buffer";
import type { Message } from "@bufbuild/protobuf";
import { CallError, callErrors, madeOnce, messageBytesMax } from "@rialto/rpc";
import { compress, type Encoding } from "./compression.ts";
import type { RestRoute } from "./routes.ts";
import { responseOf } from "./transcode.ts";

/** The JSON of an answer, and what it is compressed to for clients that accept that. */
export interface AnswerBody {
  /** Text where it has one character for each byte. */
  readonly json: string | Uint8Array;
  compressed(encoding: Encoding): Promise<Uint8Array>;
}

/**
 * Returns the body of an answer. One that several calls share has one body, which is written, and compressed, once.
 * Throws INTERNAL_ERROR for an answer that no message may hold, or larger than one may be: a defect of the service.
 */
export function answerBodyOf(route: RestRoute, answer: Readonly<Message>): AnswerBody {
  return madeOnce(answer, route, () => newBody(route, answer));
}

function newBody(route: RestRoute, answer: Readonly<Message>): AnswerBody {
  const json = jsonOf(route, answer);
  const made = new Map<Encoding, Promise<Uint8Array>>();
  return {
    json,
    compressed(encoding) {
      const found = made.get(encoding);
      if (found !== undefined) return found;
      const bytes = compress(typeof json === "string" ? Buffer.from(json, "latin1") : json, encoding);
      made.set(encoding, bytes);
      return bytes;
    },
  };
}

function jsonOf(route: RestRoute, answer: Readonly<Message>): string | Uint8Array {
  let text: string;
  let bytes: number;
  try {
    text = responseOf(route, answer);
    bytes = Buffer.byteLength(text);
  } catch (cause) {
    throw new CallError(callErrors.INTERNAL_ERROR, { cause: new Error("the answer cannot be written", { cause }) });
  }
  if (bytes > messageBytesMax) {
    const cause = new Error(`the answer has ${bytes} bytes, which is more than ${messageBytesMax}`);
    throw new CallError(callErrors.INTERNAL_ERROR, { cause });
  }
  return bytes === text.length ? text : Buffer.from(text);
}
