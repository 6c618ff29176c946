import { once } from "node:events";
import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import type { Json } from "../rest-client.ts";

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * A client that keeps its connection until it is told to leave it, by `connection: close` or GOAWAY, and then opens the
 * next one. It repeats nothing: whatever is no answer rejects.
 */
export interface KeptConnection {
  readonly version: "HTTP/1.1" | "HTTP/2";
  send(call: Call): Promise<Answer>;
  close(): void;
}

export function keepHttp1(port: number): KeptConnection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    version: "HTTP/1.1",
    send: ({ method, path, headers, body = "" }) =>
      new Promise((resolve, reject) => {
        const length = { "content-length": String(Buffer.byteLength(body)) };
        const sent = request(
          { host: "127.0.0.1", port, method, path, agent, headers: { ...headers, ...length } },
          (response) => {
            let text = "";
            response.setEncoding("utf8").on("data", (part: string) => {
              text += part;
            });
            response.once("end", () => resolve(answerOf(response.statusCode, text)));
            response.once("error", reject);
          },
        );
        sent.once("error", reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}

export function keepHttp2(port: number): KeptConnection {
  let session: ClientHttp2Session | undefined;
  const open = async (): Promise<ClientHttp2Session> => {
    const made = connect(`http://127.0.0.1:${port}`);
    made.on("error", () => undefined);
    made.once("goaway", () => {
      if (session === made) session = undefined;
    });
    await once(made, "connect");
    return made;
  };
  return {
    version: "HTTP/2",
    async send({ method, path, headers, body }) {
      session ??= await open();
      const stream = session.request({ ":method": method, ":path": path, ...headers });
      stream.end(body);
      const [head] = await once(stream, "response");
      let text = "";
      for await (const part of stream.setEncoding("utf8")) text += part;
      if (stream.rstCode !== 0) throw new Error(`the stream was reset with ${stream.rstCode}`);
      return answerOf(head[":status"], text);
    },
    close: () => session?.destroy(),
  };
}

function answerOf(status: number | undefined, text: string): Answer {
  return { status: status ?? 0, body: text === "" ? undefined : JSON.parse(text) };
}
