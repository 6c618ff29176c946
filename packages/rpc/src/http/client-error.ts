import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { v7 as uuid } from "uuid";
import { callErrors } from "../errors/call-errors.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { restErrorJson } from "../wire/rest-error.ts";

/** What is said to a client, and to whom else, where its request cannot be read as HTTP/1. */
export interface UnreadableOptions {
  /** Headers of such an answer, beside its own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Told of each answer. Its id was made for it: the client's own, if there is one, was not read. */
  readonly onAnswered?: (told: { readonly requestId: string; readonly status: number }) => void;
}

/** Answers what cannot be read. Which method was meant is not known, so it is said as REST says it: google.rpc.Status. */
export interface Unreadable {
  /** Where an answer can still be written it is, and the connection is closed. */
  answerError(error: NodeJS.ErrnoException, socket: Duplex): void;
  /** Answers a request that names no host, which HTTP/1.1 asks for; false for any other. */
  answerWithoutHost(req: IncomingMessage, res: ServerResponse): boolean;
}

export function createUnreadable(o: UnreadableOptions): Unreadable {
  const answerOf = ({ status, message }: { readonly status: number; readonly message: string }) => {
    const requestId = uuid();
    o.onAnswered?.({ requestId, status });
    const body = restErrorJson(callErrors.INVALID_REQUEST, message);
    const headers: Readonly<Record<string, string>> = {
      ...o.headers,
      [requestIdHeader]: requestId,
      connection: "close",
      "content-type": "application/json",
      "content-length": `${Buffer.byteLength(body)}`,
    };
    return { status, headers, body };
  };

  return {
    answerError(error, socket) {
      // The connection is gone, or half an answer is out: nothing that is written now would be understood.
      if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
        socket.destroy();
        return;
      }
      const { status, headers, body } = answerOf(answers[error.code ?? ""] ?? malformed);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`;
      socket.end(head + body, () => socket.destroy());
    },
    answerWithoutHost(req, res) {
      if (req.headers.host !== undefined || req.httpVersion !== "1.1") return false;
      const { status, headers, body } = answerOf({ status: 400, message: "The request names no host." });
      res.writeHead(status, headers).end(req.method === "HEAD" ? undefined : body);
      return true;
    },
  };
}

const malformed = { status: 400, message: "The request is not well-formed HTTP." };

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
