import { create, toBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { StatusSchema } from "@rialto/contracts";
import { codes } from "./codes.ts";
import type { ErrorAnswer } from "./refused.ts";

/**
 * An error as gRPC says it, in the head of an answer without a body or in its trailers: number, text,
 * google.rpc.Status.
 */
export function grpcStatus(answer: ErrorAnswer): Record<string, string> {
  const code = codes[answer.code].number;
  const details = answer.details.map(({ type, value }) => ({
    typeUrl: `type.googleapis.com/${type}`,
    value: base64Decode(value),
  }));
  const status = toBinary(StatusSchema, create(StatusSchema, { code, message: answer.message, details }));
  return {
    "grpc-status": `${code}`,
    "grpc-message": percentEncoded(answer.message),
    // gRPC writes binary headers without padding.
    "grpc-status-details-bin": Buffer.from(status).toString("base64").replace(/=+$/, ""),
  };
}

/** The last frame of a gRPC-Web stream: flag 128, length, the trailers as lines. */
export function grpcWebTrailers(answer: ErrorAnswer): Uint8Array {
  const lines = Object.entries(grpcStatus(answer)).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = Buffer.from(lines.join(""), "latin1");
  const head = Buffer.alloc(5);
  head.writeUInt8(trailerFlag, 0);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
}

/** True for bytes of a gRPC-Web stream that begin with its end. */
export function isTrailerFrame(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & trailerFlag) !== 0;
}

const trailerFlag = 128;

/** As gRPC writes text in a header: every byte outside printable ASCII, and the percent sign, by its number. */
function percentEncoded(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
      return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}
