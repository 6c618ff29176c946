import { streamTimeoutMsMax } from "../limits.ts";

/** How a call is spoken over HTTP, as its content type says. */
export type WireProtocol = "connect" | "connect-stream" | "grpc" | "grpc-web";

/** The protocol of a call by the head of its request; what is none of the others is unary Connect. */
export function protocolOf(headers: Headers): WireProtocol {
  const type = headers.get("content-type")?.toLowerCase() ?? "";
  if (/^application\/grpc-web([+;]|$)/.test(type)) return "grpc-web";
  if (/^application\/grpc([+;]|$)/.test(type)) return "grpc";
  return type.startsWith("application/connect+") ? "connect-stream" : "connect";
}

/** Connect's word for how long the caller waits, in milliseconds. */
const connectTimeoutHeader = "connect-timeout-ms";
/** gRPC's: up to eight digits and a unit. */
const grpcTimeoutHeader = "grpc-timeout";

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** How long the caller waits: undefined where it does not say, NaN where what it says is no time. */
export function askedTimeoutMs(headers: Headers): number | undefined {
  const name = timeoutHeaderOf(headers);
  const text = headers.get(name);
  if (text === null) return undefined;
  if (name === connectTimeoutHeader) return /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  const ms = unit === undefined ? undefined : unitMs[unit];
  return digits === undefined || ms === undefined ? Number.NaN : Math.ceil(Number(digits) * ms);
}

/** Says how long the caller waits, in the words of its protocol. */
export function setTimeoutMs(headers: Headers, ms: number): void {
  const name = timeoutHeaderOf(headers);
  headers.set(name, name === connectTimeoutHeader ? `${ms}` : `${Math.min(ms, grpcTimeoutMax)}m`);
}

/** A time-out that no timer can hold is cut to the longest that any method allows. What is no time is left for Connect to refuse. */
export function boundTimeout(headers: Headers): void {
  const asked = askedTimeoutMs(headers);
  if (asked !== undefined && asked > streamTimeoutMsMax) setTimeoutMs(headers, streamTimeoutMsMax);
}

/** Eight digits are all that gRPC has room for. */
const grpcTimeoutMax = 99_999_999;

function timeoutHeaderOf(headers: Headers): string {
  return protocolOf(headers).startsWith("grpc") ? grpcTimeoutHeader : connectTimeoutHeader;
}

/** Whether an answer, read to its end, says that something behind is down. gRPC-Web says it where only its client looks. */
export function saysUnavailable(o: {
  readonly status: number;
  readonly header: Headers;
  readonly trailer: Headers;
}): boolean {
  return o.status === 503 || (o.header.get(grpcStatusHeader) ?? o.trailer.get(grpcStatusHeader)) === "14";
}

/** Whether an answer, read to its end, is whole: gRPC's says how its call ended. What breaks off may look like an end without it. */
export function saysItsEnd({ header, trailer }: { readonly header: Headers; readonly trailer: Headers }): boolean {
  return protocolOf(header) !== "grpc" || header.has(grpcStatusHeader) || trailer.has(grpcStatusHeader);
}

const grpcStatusHeader = "grpc-status";
