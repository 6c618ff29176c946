import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One HTTP/1.1 connection that is kept, and the same request over it as often as it is asked for. */
export interface RawCaller {
  /** Sends the request and resolves with the whole answer once it is here. */
  call(): Promise<string>;
  close(): void;
}

/**
 * Opens a connection and writes requests to it as bytes: a client that makes nothing but one promise a call, so that
 * what is counted in this process is the server's. The answers must have a `content-length`.
 */
export async function openRawCaller(o: {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}): Promise<RawCaller> {
  const body = Buffer.from(o.body);
  const fields = { host: `127.0.0.1:${o.port}`, ...o.headers, "content-length": body.byteLength };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.concat([Buffer.from(`POST ${o.path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
  const socket: Socket = connect(o.port, "127.0.0.1");
  await once(socket, "connect");
  let received = "";
  let settle: { readonly resolve: (answer: string) => void; readonly reject: (error: Error) => void } | undefined;
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => {
    received += String(chunk);
    const length = wholeLength(received);
    if (length === undefined || received.length < length) return;
    const answer = received.slice(0, length);
    received = received.slice(length);
    settle?.resolve(answer);
  });
  socket.on("close", () => settle?.reject(new Error(`the connection was closed after: ${received}`)));
  return {
    call: () =>
      new Promise((resolve, reject) => {
        settle = { resolve, reject };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

/** How long the first answer is, head and body; undefined where its head is not whole yet. */
function wholeLength(received: string): number | undefined {
  const headLength = received.indexOf("\r\n\r\n") + 4;
  if (headLength < 4) return undefined;
  const length = /^content-length: (\d+)\r$/im.exec(received.slice(0, headLength))?.[1];
  if (length === undefined) throw new Error(`the answer does not say its length: ${received}`);
  return headLength + Number(length);
}
