import { fromBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { BadRequestSchema, StatusSchema } from "@rialto/contracts";
import type { Way } from "./wire-requests.ts";

/** An answer as it came, whatever it says. */
export interface WireAnswer {
  readonly status: number;
  /** Headers and, behind them, trailers. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** What a refusal weighs; undefined where the answer is none. */
export interface RefusalRead {
  /** "invalid_argument" or gRPC's number of it. */
  readonly code: string;
  /** The fields, and what is said of each. */
  readonly violations: readonly { readonly field: string; readonly reason: string }[];
  /** All details in binary. */
  readonly detailBytes: number;
  /** Body, headers and trailers. */
  readonly bytes: number;
}

/** Reads a refusal in the words of its protocol. */
export function readRefusal(way: Way, answer: WireAnswer): RefusalRead | undefined {
  const bytes =
    answer.body.length + answer.headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (way === "gRPC" || way === "gRPC-Web") return grpcRefusal(way, answer, bytes);
  const text = Buffer.from(answer.body).toString();
  if (way === "Connect stream") {
    const last = answer.body[0] === 2 ? JSON.parse(text.slice(5)).error : undefined;
    return last === undefined ? undefined : jsonRefusal(last, bytes);
  }
  return answer.status === 200 ? undefined : jsonRefusal(text.startsWith("{") ? JSON.parse(text) : {}, bytes);
}

interface JsonError {
  readonly code?: string | number;
  readonly details?: readonly Readonly<Record<string, unknown>>[];
}

/** Connect's error has details in base64, REST's has them as they read. */
function jsonRefusal({ code = "", details = [] }: JsonError, bytes: number): RefusalRead {
  const read = details.map((detail) => {
    if (typeof detail.value !== "string")
      return { type: `${detail["@type"]}`, size: Buffer.byteLength(JSON.stringify(detail)), detail };
    const value = base64Decode(detail.value);
    return { type: `${detail.type}`, size: value.length, value };
  });
  const violations = read
    .filter(({ type }) => type.endsWith("google.rpc.BadRequest"))
    .flatMap((one) => {
      if ("value" in one && one.value !== undefined) return fromBinary(BadRequestSchema, one.value).fieldViolations;
      const listed: unknown = "detail" in one ? one.detail.fieldViolations : undefined;
      return Array.isArray(listed) ? listed : [];
    })
    .map(({ field = "", reason = "" }) => ({ field: `${field}`, reason: `${reason}` }));
  return { code: `${code}`, violations, detailBytes: read.reduce((sum, { size }) => sum + size, 0), bytes };
}

function grpcRefusal(way: Way, { headers, body }: WireAnswer, bytes: number): RefusalRead | undefined {
  const trailers = way === "gRPC-Web" && headers.every(([name]) => name !== "grpc-status") ? linesIn(body) : headers;
  const named = (name: string) => trailers.find(([one]) => one.toLowerCase() === name)?.[1];
  const code = named("grpc-status");
  if (code === undefined || code === "0") return undefined;
  const { details } = fromBinary(StatusSchema, base64Decode(named("grpc-status-details-bin") ?? ""));
  const violations = details
    .filter(({ typeUrl }) => typeUrl.endsWith("google.rpc.BadRequest"))
    .flatMap(({ value }) => fromBinary(BadRequestSchema, value).fieldViolations)
    .map(({ field, reason }) => ({ field, reason }));
  return { code, violations, detailBytes: details.reduce((sum, { value }) => sum + value.length, 0), bytes };
}

/** The trailers of gRPC-Web, in the last frame of the body. */
function linesIn(body: Uint8Array): [string, string][] {
  const bytes = Buffer.from(body);
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt32BE(at + 1)) {
    if ((bytes.readUInt8(at) & 0x80) === 0) continue;
    const lines = bytes
      .subarray(at + 5)
      .toString("latin1")
      .split("\r\n")
      .filter((line) => line !== "");
    return lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
  }
  return [];
}
