import { create, type DescMethod, fromBinary, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import { outgoingCall } from "../src/client/client.ts";
import {
  backgroundContext,
  CallError,
  type Endpoint,
  type HttpResponse,
  identifyPerson,
  listen,
  type PropagatedContext,
  type TokenVerifier,
} from "../src/index.ts";

/** What came of a call, told the same for every transport. */
export interface Result {
  readonly code: string;
  readonly reason?: string;
  readonly message?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fields?: readonly string[];
  readonly answer?: JsonValue;
}

/** Calls a method with headers, by one of the transports into an endpoint. */
export type TestTransport = (
  method: DescMethod,
  request: JsonValue & object,
  headers: Record<string, string>,
) => Promise<Result>;

/**
 * The three transports into an endpoint. By message a call has no headers: its service or the gateway, in the same
 * process, says what they would.
 */
export async function openTransports(endpoint: Endpoint, verifier: TokenVerifier) {
  const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
  const base = `http://127.0.0.1:${server.port}`;
  const transports: Readonly<Record<"by message" | "by bytes" | "over HTTP", TestTransport>> = {
    "by message": async (method, request, headers) => {
      try {
        const { caller, context } = await inProcess(endpoint, verifier, headers);
        const call = outgoingCall(method, context, keyIn(headers));
        const answer = await endpoint.callsOf(caller).unary(call, fromJson(method.input, request));
        return {
          code: "ok",
          answer: toJson(method.output, create(method.output, answer), { alwaysEmitImplicit: true }),
        };
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        const { code, reason, message, metadata, fields } = error;
        return { code, reason, message, metadata, fields: fields.map(({ field, rule }) => `${field} ${rule ?? ""}`) };
      }
    },
    "by bytes": async (method, request, headers) => {
      const response = await endpoint.handle({
        url: `http://test${pathOf(method)}`,
        method: "POST",
        header: new Headers({ "content-type": "application/json", ...headers }),
        body: bytesOf(JSON.stringify(request)),
      });
      return resultOf(response.status, await textOf(response));
    },
    "over HTTP": async (method, request, headers) => {
      const response = await fetch(`${base}${pathOf(method)}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(request),
      });
      return resultOf(response.status, await response.text());
    },
  };
  return { base, transports, close: () => server.close() };
}

/** Who calls in the process, and what they say, where these headers would say it over the network. */
async function inProcess(endpoint: Endpoint, verifier: TokenVerifier, headers: Readonly<Record<string, string>>) {
  const { "rialto-service": service, authorization, "rialto-client-address": clientAddress } = headers;
  const caller = service === undefined ? "gateway" : (await verifier.service(service, endpoint.service)).name;
  // The gateway has verified a person. What does not hold is left to the callee.
  const person = await identifyPerson(authorization ?? null, verifier).catch(() => undefined);
  const context: PropagatedContext = {
    ...backgroundContext({}),
    requestId: headers["x-request-id"] ?? "",
    traceparent: headers.traceparent ?? "",
    ...(clientAddress !== undefined && { clientAddress }),
    ...(service === undefined && { clientAddress: "192.0.2.1" }),
    ...(person !== undefined && { caller: person }),
    ...(person === undefined && authorization !== undefined && { userToken: authorization.replace("Bearer ", "") }),
  };
  return { caller, context };
}

function keyIn({ "idempotency-key": key }: Readonly<Record<string, string>>) {
  return key === undefined ? {} : { idempotencyKey: key };
}

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

export async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

export async function textOf(response: HttpResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

interface ErrorJson {
  readonly code: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

/** Reads Connect's JSON, an answer or an error. */
export function resultOf(status: number, text: string): Result {
  const json: JsonValue = JSON.parse(text);
  if (status === 200) return { code: "ok", answer: json };
  const error = json as unknown as ErrorJson;
  const details = error.details ?? [];
  const infos = details.filter((detail) => detail.type === ErrorInfoSchema.typeName);
  const bads = details.filter((detail) => detail.type === BadRequestSchema.typeName);
  const info = infos.map((detail) => fromBinary(ErrorInfoSchema, base64Decode(detail.value)))[0];
  const fields = bads
    .flatMap((detail) => fromBinary(BadRequestSchema, base64Decode(detail.value)).fieldViolations)
    .map(({ field, description }) => `${field} ${/\[(.*)\]$/.exec(description)?.[1] ?? ""}`);
  return {
    code: error.code,
    ...(error.message === undefined ? {} : { message: error.message }),
    ...(info === undefined ? {} : { reason: info.reason, metadata: info.metadata }),
    fields,
  };
}
