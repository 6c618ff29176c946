import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import type { Encoded } from "../codec/message-codec.ts";
import type { Answer, Exchange, Fields } from "./exchange.ts";
import type { UnaryHooks } from "./hooks.ts";
import type { UnaryCall } from "./unary-call.ts";

/** How a unary call is read and written in one protocol. Each file of a protocol has one, with the same inner names. */
export interface UnaryProtocol {
  readonly name: "connect" | "grpc" | "grpc-web";
  readonly timeoutHeader: string;
  readonly acceptEncodingHeader: string;
  /** The same in lower case, as Node has it. */
  readonly acceptEncodingField: string;
  /** The timeout that a header asks for, or the error that it is none or too long. */
  parseTimeout(
    value: string | null,
    msMax: number,
  ): { readonly timeoutMs?: number; readonly error?: ConnectError | undefined };
  /** The name of the compression of the request. */
  requestEncoding(exchange: Exchange): string | null;
  /** The headers and the trailers that an answer begins with. */
  headers(isBinary: boolean, compression: Compression | null): Fields;
  trailers(): Fields;
  /** Throws where the head of a call is refused, before its body is read. */
  assertHead(call: UnaryCall): void;
  /** Receives the body of the request: at once, where it is here. */
  receive(call: UnaryCall, hooks: UnaryHooks): Uint8Array | Promise<Uint8Array>;
  /** Reads the message in a body that was received. */
  read(
    call: UnaryCall,
    body: Uint8Array,
    compression: Compression | null,
    hooks: UnaryHooks,
  ): Message | Promise<Message>;
  /** Writes the message of the answer. */
  write(call: UnaryCall, message: Encoded, compression: Compression | null): Answer | Promise<Answer>;
  /** Writes an error. */
  writeError(call: UnaryCall, error: ConnectError, compression: Compression | null): Answer | Promise<Answer>;
}
