import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** Why a request could not be read as HTTP/1.1. */
export interface ClientError {
  /** The status code that HTTP has for it. */
  readonly status: number;
  /** One sentence for the client. */
  readonly message: string;
}

/** The rest of the response to such a request. */
export interface ClientErrorResponse {
  /** `connection` and `content-length` are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Renders the response to a request that cannot be read. Its request id, its path and its content type are unknown at
 * that point. Called once for each such response.
 */
export type RenderClientError = (error: ClientError) => ClientErrorResponse;

/** Answers requests that cannot be read. */
export interface ClientErrors {
  /** Writes the response where one can still be written, and closes the connection. */
  answer(error: NodeJS.ErrnoException, socket: Duplex): void;
  /**
   * Answers a request without the `Host` header that HTTP/1.1 requires (RFC 9112, section 3.2). Returns false for every
   * other request.
   */
  answerMissingHost(req: IncomingMessage, res: ServerResponse): boolean;
}

export function createClientErrors(render: RenderClientError = renderPlainText): ClientErrors {
  const rendered = (error: ClientError) => {
    const { headers, body } = render(error);
    const framing = { connection: "close", "content-length": `${Buffer.byteLength(body)}` };
    return { status: error.status, headers: { ...headers, ...framing }, body };
  };

  return {
    answer(error, socket) {
      // The connection is gone, or part of a response is sent: the client could not parse another one.
      if (error.code === "ECONNRESET" || !socket.writable || isResponding(socket)) {
        socket.destroy();
        return;
      }
      const { status, headers, body } = rendered(errors[error.code ?? ""] ?? malformed);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`;
      socket.end(head + body, () => socket.destroy());
    },
    answerMissingHost(req, res) {
      if (req.headers.host !== undefined || req.httpVersion !== "1.1") return false;
      const { status, headers, body } = rendered({ status: 400, message: "The request names no host." });
      res.writeHead(status, headers).end(req.method === "HEAD" ? undefined : body);
      return true;
    },
  };
}

function renderPlainText({ message }: ClientError): ClientErrorResponse {
  return { headers: { "content-type": "text/plain; charset=utf-8" }, body: message };
}

const malformed: ClientError = { status: 400, message: "The request is not well-formed HTTP." };

/** By the code of Node's `clientError`. */
const errors: Readonly<Record<string, ClientError>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: "The URL and the headers are too long together." },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, message: "The chunk extensions are too large." },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: "The request took too long to arrive." },
};

/**
 * Whether a response has begun on this connection. Node keeps it under this name, and reads it for its own response to
 * such an error.
 */
function isResponding(socket: Duplex): boolean {
  const message: unknown = Reflect.get(socket, "_httpMessage");
  return typeof message === "object" && message !== null && Reflect.get(message, "headersSent") === true;
}
