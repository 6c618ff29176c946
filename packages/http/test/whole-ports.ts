import { IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, expect } from "vitest";
import { arrivedBody, endWithBody, listenHttp } from "../src/index.ts";
import type { ListenOptions } from "../src/listen.ts";

/** Answers with what it was asked. */
export const echo: RequestListener = (req, res) => {
  setImmediate(() => {
    const body = Buffer.from(arrivedBody(req) ?? "").toString();
    const { url, method, headers } = req;
    const text = JSON.stringify({ url, method, headers: Object.entries(headers).sort(), body });
    res.writeHead(200, ["content-type", "application/json", "content-length", `${Buffer.byteLength(text)}`]);
    endWithBody(res, Buffer.from(text));
  });
};

/** Ports and clients, closed after each test of the file that calls this. `open` is what else is to be closed. */
export function wholePorts() {
  const open: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  /** A port whose requests in JSON have whole responses, and how many of its responses were Node's. */
  async function serve(onRequest: RequestListener = echo, more: Partial<ListenOptions> = {}) {
    const seen = { byNode: 0, whole: 0 };
    const listener = await listenHttp({
      port: 0,
      host: "127.0.0.1",
      streamsMax: 20,
      answersWhole: ({ contentType }) => contentType === "application/json",
      onRequest: (req, res) => {
        if (res instanceof ServerResponse) seen.byNode += 1;
        else seen.whole += 1;
        expect(req).toBeInstanceOf(IncomingMessage);
        onRequest(req, res);
      },
      ...more,
    });
    open.push(() => listener.close({ graceMs: 100 }));
    return { ...listener, seen };
  }

  /** Sends texts one after the other, each when the one before was answered, and returns what came. */
  function client(port: number) {
    const socket: Socket = connect(port, "127.0.0.1");
    open.push(() => socket.destroy());
    socket.on("error", () => undefined);
    let text = "";
    socket.setEncoding("latin1").on("data", (part) => {
      text += part;
    });
    return { socket, text: () => text, answers: () => text.split("HTTP/1.1 ").length - 1 };
  }

  return { open, serve, client };
}

/** What was written has arrived: the loop has looked for it a few times, however long the machine stood still. */
export async function arrived(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const json = "content-type: application/json\r\n";
export const post = (body: string, fields = json) =>
  `POST /a?b=c HTTP/1.1\r\nhost: x\r\n${fields}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
