import type { HttpFields } from "@rialto/http";
import { type CallHeaders, nodeHeaders } from "../wire/call-headers.ts";

/** A unary call as bytes: its fields are those of Node's parser, and nothing of its body is decoded. */
export interface WholeCall {
  /** The HTTP method. */
  readonly verb: string;
  /** With its query. */
  readonly path: string;
  /** By their names in lower case. */
  readonly fields: HttpFields;
  /** Receives the body, once: at once where it is here. It is part of the call: its deadline ends it. */
  receive(): Uint8Array | Promise<Uint8Array>;
}

/** The whole answer to such a call, as the service sent it. */
export interface WholeAnswer {
  readonly status: number;
  readonly fields: HttpFields;
  readonly body: Uint8Array;
  readonly trailers: HttpFields;
}

/** The answer as what reads its status and its fields by name wants it. */
export function readableAnswer({ status, fields, trailers }: WholeAnswer): {
  readonly status: number;
  readonly header: CallHeaders;
  readonly trailer: CallHeaders;
} {
  return { status, header: nodeHeaders(fields), trailer: nodeHeaders(trailers) };
}
