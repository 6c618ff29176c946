import { streamTimeoutMsMax } from "../limits.ts";
import type { CallHeaders } from "./call-headers.ts";

/** The protocol of a call over HTTP, which its content type names. */
export type WireProtocol = "connect" | "connect-stream" | "grpc" | "grpc-web";

/** Returns the protocol of a call; unary Connect where the content type is not one of the others. */
export function protocolOf(headers: CallHeaders): WireProtocol {
  const given = headers.get("content-type");
  // Nearly all calls: it is asked several times in each.
  if (given === "application/json" || given === "application/proto") return "connect";
  const type = given?.toLowerCase() ?? "";
  if (/^application\/grpc-web([+;]|$)/.test(type)) return "grpc-web";
  if (/^application\/grpc([+;]|$)/.test(type)) return "grpc";
  return type.startsWith("application/connect+") ? "connect-stream" : "connect";
}

/** Connect's header for the time-out of a call, in milliseconds. */
export const connectTimeoutHeader = "connect-timeout-ms";
/** gRPC's: up to eight digits and a unit. */
const grpcTimeoutHeader = "grpc-timeout";

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Returns the time-out of a call in milliseconds: undefined where there is none, NaN where it is malformed. */
export function askedTimeoutMs(headers: CallHeaders): number | undefined {
  const name = timeoutHeaderOf(headers);
  const text = headers.get(name);
  if (text === null) return undefined;
  if (name === connectTimeoutHeader) return connectTimeoutMs(text);
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  const ms = unit === undefined ? undefined : unitMs[unit];
  return digits === undefined || ms === undefined ? Number.NaN : Math.ceil(Number(digits) * ms);
}

/** Reads the value of Connect's header: milliseconds, or NaN where it is malformed. */
export function connectTimeoutMs(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
}

/** Sets the time-out of a call, in the header of its protocol. */
export function setTimeoutMs(headers: Headers, ms: number): void {
  headers.set(...timeoutField(headers, ms));
}

/** Returns the field for the time-out of a call with these headers. */
export function timeoutField(headers: CallHeaders, ms: number): [name: string, value: string] {
  const name = timeoutHeaderOf(headers);
  return [name, name === connectTimeoutHeader ? `${ms}` : `${Math.min(ms, grpcTimeoutMax)}m`];
}

/**
 * Cuts a time-out to the longest that a method allows: a timer cannot hold a longer one. Connect refuses malformed
 * ones.
 */
export function boundTimeout(headers: Headers): void {
  const asked = askedTimeoutMs(headers);
  if (asked !== undefined && asked > streamTimeoutMsMax) setTimeoutMs(headers, streamTimeoutMsMax);
}

/** gRPC allows eight digits. */
const grpcTimeoutMax = 99_999_999;

function timeoutHeaderOf(headers: CallHeaders): string {
  return protocolOf(headers).startsWith("grpc") ? grpcTimeoutHeader : connectTimeoutHeader;
}

/**
 * Whether a response, read to its end, has the code `unavailable`. gRPC-Web has it in the body, which is not read here.
 */
export function saysUnavailable(o: {
  readonly status: number;
  readonly header: CallHeaders;
  readonly trailer: CallHeaders;
}): boolean {
  return o.status === 503 || (o.header.get(grpcStatusHeader) ?? o.trailer.get(grpcStatusHeader)) === "14";
}

/**
 * Whether an answer, read to its end, is whole: gRPC's says how its call ended. What breaks off may look like an end
 * without it.
 */
export function saysItsEnd(o: { readonly header: CallHeaders; readonly trailer: CallHeaders }): boolean {
  return (
    protocolOf(o.header) !== "grpc" || (o.header.get(grpcStatusHeader) ?? o.trailer.get(grpcStatusHeader)) !== null
  );
}

const grpcStatusHeader = "grpc-status";
