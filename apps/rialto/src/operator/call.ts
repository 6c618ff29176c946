import {
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  type Message,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import type { FoundMethod } from "./find-method.ts";

export interface CallInput {
  /** The request, as JSON. */
  readonly json: string;
  /** The JSON stood on the command line, where every user of the machine can read it. */
  readonly isVisible: boolean;
  readonly accessToken: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly timeoutMs: number;
}

/**
 * Calls a method, and yields its responses as JSON, the one of a unary method too. Throws a `CommandFailure` for a
 * request that is not one of the method, and the `ConnectError` of the call.
 */
export async function* call(
  transport: Transport,
  { method, registry }: FoundMethod,
  o: CallInput,
): AsyncGenerator<JsonValue, void> {
  if (!isUnary(method) && !isServerStream(method))
    throw new CommandFailure(
      exitCodes.usage,
      `${method.name} takes a stream of requests, which is not for this command`,
    );
  const request = readRequest(method, registry, o);
  const header = new Headers();
  if (o.accessToken !== undefined) header.set("authorization", `Bearer ${o.accessToken}`);
  if (o.idempotencyKey !== undefined) header.set("idempotency-key", o.idempotencyKey);
  const toText = (message: Message) => toJson(method.output, message, { registry, alwaysEmitImplicit: true });
  if (isUnary(method)) {
    yield toText((await transport.unary(method, undefined, o.timeoutMs, header, request)).message);
    return;
  }
  const requests = createAsyncIterable([request]);
  const { message: messages } = await transport.stream(method, undefined, o.timeoutMs, header, requests);
  for await (const message of messages) yield toText(message);
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function isServerStream(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === "server_streaming";
}

function readRequest({ input }: DescMethod, registry: Registry, { json, isVisible }: CallInput): Message {
  const value = parse(json);
  const secret = isVisible ? secretIn(input, value) : undefined;
  if (secret !== undefined)
    throw new CommandFailure(
      exitCodes.usage,
      `${secret} is a secret, and a command line is visible to every user of this machine: ` +
        "write - as the request, and pass the JSON on standard input",
    );
  try {
    return fromJson(input, value, { registry });
  } catch (error) {
    throw new CommandFailure(exitCodes.usage, error instanceof Error ? error.message : String(error));
  }
}

function parse(json: string): JsonValue {
  try {
    // What JSON.parse returns.
    return JSON.parse(json) as JsonValue;
  } catch {
    throw new CommandFailure(exitCodes.usage, `the request is not JSON. Write it like this: '{"id": "..."}'`);
  }
}

/** Returns the name of a field of the request that the contract marks as one that must not be shown. */
function secretIn(message: DescMessage, value: JsonValue): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  for (const field of message.fields) {
    const given = value[field.jsonName] ?? value[field.name];
    if (given === undefined) continue;
    if (field.proto.options?.debugRedact === true) return field.name;
    const inside = field.fieldKind === "message" ? secretIn(field.message, given) : undefined;
    if (inside !== undefined) return inside;
  }
  return undefined;
}
