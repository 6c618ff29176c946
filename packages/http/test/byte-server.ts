import { type AddressInfo, createServer, type Socket } from "node:net";
import { createHttp1Client, type Http1ClientOptions, type HttpClient, type HttpFields } from "../src/index.ts";

/** A request as a server of bytes got it. */
export interface ArrivedRequest {
  readonly head: string;
  readonly path: string;
  /** One character for each byte. */
  readonly body: string;
  /** The connection that it came on, numbered from 0, and which request of that connection it is. */
  readonly connection: number;
  readonly index: number;
}

/** A server that answers with the bytes that a test writes. */
export interface ByteServer {
  readonly origin: string;
  readonly sockets: readonly Socket[];
  close(): void;
}

/** Starts a server. Its requests have a `content-length` or no body; `onRequest` gets each of them when it is whole. */
export async function listenBytes(onRequest: (socket: Socket, request: ArrivedRequest) => void): Promise<ByteServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const connection = sockets.push(socket) - 1;
    let text = "";
    let index = 0;
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end !== -1; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end + 4);
        const length = Number(/\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1] ?? 0);
        if (text.length < head.length + length) return;
        const body = text.slice(head.length, head.length + length);
        text = text.slice(head.length + length);
        onRequest(socket, { head, path: head.split(" ", 2)[1] ?? "", body, connection, index: index++ });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // A TCP server has an address of this kind.
  return {
    origin: `http://127.0.0.1:${port}`,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A response that its receiver got. */
export interface GotResponse {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** One character for each byte. */
  readonly body: string;
  readonly trailers: Readonly<Record<string, unknown>>;
}

export interface AskedRequest {
  readonly path?: string;
  readonly verb?: string;
  readonly fields?: HttpFields;
  readonly replaced?: readonly [name: string, value: string];
  readonly body?: Uint8Array;
  /** Gets the function that cancels the request, when it was sent. */
  readonly onSent?: (cancel: (reason: Error) => void) => void;
  /** Called for each part of the body. What it throws ends the request. */
  readonly onPart?: (part: Uint8Array) => void;
}

/** Sends a request to a server. Rejects with what its receiver gets instead of a response. */
export function ask(client: HttpClient, origin: string, o: AskedRequest = {}): Promise<GotResponse> {
  const { path = "/", verb = "GET", fields = {}, replaced, body } = o;
  return new Promise((resolve, reject) => {
    let head: Pick<GotResponse, "status" | "fields"> = { status: 0, fields: {} };
    let text = "";
    let ends = 0;
    const onEnd = (end: () => void) => {
      ends += 1;
      if (ends > 1) throw new Error("a request ended twice");
      end();
    };
    const sent = client.send(
      { origin, path, verb, fields, replaced, body },
      {
        onHead: (status, got) => {
          head = { status, fields: { ...got } };
        },
        onData: (part) => {
          o.onPart?.(part);
          text += Buffer.from(part).toString("latin1");
        },
        onEnd: (trailers) => onEnd(() => resolve({ ...head, body: text, trailers: { ...trailers } })),
        onError: (reason) => onEnd(() => reject(reason)),
      },
    );
    o.onSent?.((reason) => sent.cancel(reason));
  });
}

/** The plainest response. */
export function ok(body = "ok", fields = ""): string {
  return `HTTP/1.1 200 OK\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`;
}

/** Returns functions that make servers and clients, and one that closes them all. */
export function createFixture() {
  const opened: (() => unknown)[] = [];
  return {
    async serve(onRequest: Parameters<typeof listenBytes>[0]): Promise<ByteServer> {
      const server = await listenBytes(onRequest);
      opened.push(server.close);
      return server;
    },
    client(o: Http1ClientOptions = {}): HttpClient {
      const client = createHttp1Client(o);
      opened.push(client.close);
      return client;
    },
    closeAll() {
      for (const close of opened.splice(0).reverse()) close();
    },
  };
}

/** The code of Node's or of ours that a request failed with; "answered" where it did not. */
export async function codeOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => "answered",
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );
}
