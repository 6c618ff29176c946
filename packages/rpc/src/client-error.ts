import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { callErrors } from "./call-errors.ts";

/**
 * Answers what could not be read as HTTP/1, where an answer can still be written, and closes the connection. Which method was meant is not
 * known, so it is said as REST says it: google.rpc.Status.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // The connection is gone, or half an answer is out: nothing that is written now would be understood.
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  const { status, message } = answers[error.code ?? ""] ?? {
    status: 400,
    message: "The request is not well-formed HTTP.",
  };
  const { reason } = callErrors.INVALID_REQUEST;
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "rialto", metadata: {} };
  const body = JSON.stringify({ code: invalidArgument, message, details: [info] });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** The number of INVALID_ARGUMENT in google.rpc.Status. */
const invalidArgument = 3;

const answers: Readonly<Record<string, { readonly status: number; readonly message: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: "The URL and the headers are too long together." },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, message: "The chunk extensions are too large." },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: "The request took too long to arrive." },
};

/** Whether the answer to a request of this connection has begun. Node keeps it there, as its own answer to such an error needs it too. */
function isAnswering(socket: Duplex): boolean {
  const message: unknown = Reflect.get(socket, "_httpMessage");
  return typeof message === "object" && message !== null && Reflect.get(message, "headersSent") === true;
}
