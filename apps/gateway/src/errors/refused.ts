import {
  create,
  createRegistry,
  fromBinary,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import { CallError, callErrors, type ErrorCode, type ErrorDefinition, Refusal, withinRefusalSize } from "@rialto/rpc";
import { codes, isCode } from "./codes.ts";
import { isJsonObject } from "./json-object.ts";

/** One entry of an error's details as Connect writes it in JSON. */
interface ConnectDetail {
  readonly type: string;
  /** The message's bytes, base64 without padding. */
  readonly value: string;
}

/** An error as it goes to a client, whichever protocol they speak. */
export interface ErrorAnswer {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: readonly ConnectDetail[];
  /** Where HTTP says it more exactly than Connect's table: 405, 413, 415. */
  readonly httpStatus?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What the gateway itself refuses a request with. */
export class Refused extends Error {
  readonly answer: ErrorAnswer;

  constructor(answer: ErrorAnswer) {
    super(answer.message);
    this.name = "Refused";
    this.answer = answer;
  }
}

/** What can be said beside the reason. */
interface RefusedDetail {
  /** What is wrong with this very request, where the table's message says it too generally. */
  readonly message?: string;
  readonly fields?: readonly { readonly field: string; readonly description: string }[];
  readonly httpStatus?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes a refusal of one of the reasons that any method can have. */
export function refused(definition: ErrorDefinition, o: RefusedDetail = {}): Refused {
  const { code, reason, message } = definition;
  const answer = answerFrom({ code, reason, message: o.message ?? message, fields: o.fields ?? [], metadata: {} });
  return new Refused({ ...answer, httpStatus: o.httpStatus, headers: o.headers });
}

/** The answer to whatever was thrown. What nobody foresaw is INTERNAL_ERROR, and says nothing of itself. */
export function answerTo(error: unknown): ErrorAnswer {
  if (error instanceof Refused) return error.answer;
  if (error instanceof Refusal || error instanceof CallError) return answerFrom(error);
  return refused(callErrors.INTERNAL_ERROR).answer;
}

function answerFrom(o: Pick<Refusal, "code" | "reason" | "message" | "fields" | "metadata">): ErrorAnswer {
  const { message, fields, metadata } = withinRefusalSize(o);
  const info = create(ErrorInfoSchema, { reason: o.reason, domain: "rialto", metadata: { ...metadata } });
  const details: ConnectDetail[] = [{ type: ErrorInfoSchema.typeName, value: base64(toBinary(ErrorInfoSchema, info)) }];
  if (fields.length > 0) {
    const bad = create(BadRequestSchema, { fieldViolations: [...fields] });
    details.push({ type: BadRequestSchema.typeName, value: base64(toBinary(BadRequestSchema, bad)) });
  }
  return { code: o.code, message, details };
}

/**
 * Reads the JSON of a failed unary Connect call. What does not look like one stays unread: it says nothing to a client.
 */
export function errorAnswerOf(json: JsonValue | undefined, httpStatus: number): ErrorAnswer {
  if (isJsonObject(json) && isCode(json.code)) {
    const details = Array.isArray(json.details) ? json.details.flatMap(detailOf) : [];
    return { code: json.code, message: typeof json.message === "string" ? json.message : "", details };
  }
  return answerTo(refused(httpStatus === 503 ? callErrors.TEMPORARILY_UNAVAILABLE : callErrors.INTERNAL_ERROR));
}

/** The HTTP status that goes with an answer. */
export function httpStatusOf(answer: ErrorAnswer): number {
  return answer.httpStatus ?? codes[answer.code].httpStatus;
}

/** google.rpc.Status as JSON: what REST clients get. */
export function restError(answer: ErrorAnswer): JsonObject {
  return { code: codes[answer.code].number, message: answer.message, details: answer.details.map(anyOf) };
}

/** A unary Connect error as JSON. */
export function connectError(answer: ErrorAnswer): JsonObject {
  return {
    code: answer.code,
    message: answer.message,
    details: answer.details.map(({ type, value }) => ({ type, value })),
  };
}

/** The last envelope of a Connect stream: flag 2, length, JSON. */
export function connectEndOfStream(answer: ErrorAnswer): Uint8Array {
  const json = Buffer.from(JSON.stringify({ error: connectError(answer), metadata: {} }));
  const head = Buffer.alloc(5);
  head.writeUInt8(2, 0);
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
}

const detailMessages = createRegistry(ErrorInfoSchema, BadRequestSchema);

/** google.protobuf.Any as JSON. A message that is not in the contract keeps its bytes. */
function anyOf({ type, value }: ConnectDetail): JsonObject {
  const schema = detailMessages.getMessage(type);
  const at = { "@type": `type.googleapis.com/${type}` };
  if (schema === undefined) return { ...at, value };
  const json = toJson(schema, fromBinary(schema, base64Decode(value)));
  return isJsonObject(json) ? { ...at, ...json } : at;
}

function detailOf(value: JsonValue): ConnectDetail[] {
  if (!isJsonObject(value) || typeof value.type !== "string" || typeof value.value !== "string") return [];
  return [{ type: value.type, value: value.value }];
}

function base64(bytes: Uint8Array): string {
  return base64Encode(bytes, "std_raw");
}
