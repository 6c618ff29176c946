import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSocketServer, type Socket } from "node:net";
import { LazySignal } from "@rialto/async";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createUpstream, reasonOf, type Upstream, type WholeAnswer, type WholeCall } from "../src/index.ts";

/** A unary call that is passed on as a whole, beside the same call as a request with streams. */

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function replica(onRequest: (req: IncomingMessage, res: ServerResponse) => void): Promise<string> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

/** A replica that does this with a connection once a request has arrived on it. */
async function sockets(onRequest: (socket: Socket) => void): Promise<string> {
  const server = createSocketServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => onRequest(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

function upstreamOf(...urls: string[]): Upstream {
  const upstream = createUpstream({ kind: "remote", urls, random: () => 0 });
  closing.push(() => upstream.close());
  return upstream;
}

const path = "/rialto.order.v1.OrderService/GetOrder";
const fieldsOf = (more: Record<string, string> = {}) => ({ "content-type": "application/json", ...more });
const callOf = (more: Partial<WholeCall> = {}): WholeCall => ({
  verb: "POST",
  path,
  fields: fieldsOf({ "connect-timeout-ms": "2000" }),
  receive: async () => Buffer.from("{}"),
  ...more,
});
const send = (upstream: Upstream, call: WholeCall, isSafe = false): Promise<WholeAnswer> =>
  upstream.call(call, { isSafe, canceled: new LazySignal() });
const reason = (work: Promise<unknown>) => work.then(() => "answered", reasonOf);

describe("a call that is passed on as a whole", () => {
  it("arrives as a request with the same fields and bytes does, and so does its answer", async () => {
    const url = await replica((req, res) => {
      const parts: Buffer[] = [];
      req.on("data", (part: Buffer) => parts.push(part));
      req.on("end", () => {
        const status = Number(req.headers["x-status"]);
        const { host: _host, connection: _, "connect-timeout-ms": __, ...seen } = req.headers;
        const body = JSON.stringify({
          verb: req.method,
          url: req.url,
          seen,
          body: Buffer.concat(parts).toString("hex"),
        });
        res.writeHead(status, { "content-type": "application/json", "x-echo": req.headers["x-value"] ?? "none" });
        res.end(body);
      });
    });
    const upstream = upstreamOf(url);
    const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
    const asked = fc.record({
      verb: fc.constantFrom("POST", "GET"),
      query: fc.constantFrom("", "?encoding=json&message=%7B%7D"),
      status: fc.constantFrom(200, 400, 404, 429, 500),
      value,
      bytes: fc.uint8Array({ maxLength: 64 }),
    });
    await fc.assert(
      fc.asyncProperty(asked, async ({ verb, query, status, value, bytes: given }) => {
        const bytes = verb === "GET" ? new Uint8Array() : given;
        const fields = fieldsOf({ "x-status": `${status}`, "x-value": value });
        const answer = await send(upstream, callOf({ verb, path: path + query, fields, receive: async () => bytes }));
        const response = await upstream.fetch(
          {
            url: `http://upstream${path}${query}`,
            method: verb,
            header: new Headers(fields),
            body: (async function* () {
              yield bytes;
            })(),
          },
          { isSafe: false },
        );
        const parts: Uint8Array[] = [];
        for await (const part of response.body) parts.push(part);
        expect(Buffer.from(answer.body).toString()).toBe(Buffer.concat(parts).toString());
        expect(answer.status).toBe(response.status);
        expect(answer.fields["x-echo"]).toBe(response.header.get("x-echo"));
      }),
      { numRuns: 100 },
    );
  });

  it("is repeated at the next replica where that is safe, and only there", async () => {
    const busy = await replica((_, res) => res.writeHead(503).end());
    const ready = await replica((_, res) => res.end("{}"));
    expect((await send(upstreamOf(busy, ready), callOf(), true)).status).toBe(200);
    expect((await send(upstreamOf(busy, ready), callOf(), false)).status).toBe(503);
  });

  it.each([
    ["with a length", "Content-Length: 2\r\n\r\n{}"],
    ["in chunks", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
  ])("is no defect, nor half an answer, where a replica dies after any byte of one %s", async (_how, rest) => {
    const whole = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${rest}`);
    const well = await replica((_req, res) => res.writeHead(200, { "content-type": "application/json" }).end("{}"));
    const deaths: readonly ((socket: Socket, part: Buffer) => void)[] = [
      (socket, part) => socket.end(part),
      (socket, part) => socket.write(part, () => socket.resetAndDestroy()),
    ];
    const call = callOf({ fields: fieldsOf({ "connect-timeout-ms": "20000" }) });
    for (const die of deaths) {
      let bytes = 0;
      const dying = await sockets((socket) => die(socket, whole.subarray(0, bytes)));
      for (; bytes < whole.byteLength; bytes += 1) {
        expect([bytes, await reason(send(upstreamOf(dying), call))]).toEqual([bytes, "TEMPORARILY_UNAVAILABLE"]);
        const { status, body } = await send(upstreamOf(dying, well), call, true);
        expect([bytes, status, `${body}`]).toEqual([bytes, 200, "{}"]);
      }
    }
  });

  it("ends by its timeout, by its caller, and before it is sent where the timeout is none", async () => {
    const silent = await replica(() => undefined);
    const upstream = upstreamOf(silent);
    const late = callOf({ fields: fieldsOf({ "connect-timeout-ms": "50" }) });
    expect(await reason(send(upstream, late))).toBe("DEADLINE_PASSED");
    const slow = callOf({ fields: fieldsOf({ "connect-timeout-ms": "50" }), receive: () => new Promise(() => {}) });
    expect(await reason(send(upstream, slow))).toBe("DEADLINE_PASSED");
    const none = callOf({ fields: fieldsOf({ "connect-timeout-ms": "soon" }) });
    expect(await reason(send(upstream, none))).toBe("INVALID_REQUEST");
    const canceled = new LazySignal();
    const left = upstream.call(callOf(), { isSafe: true, canceled });
    canceled.abort(undefined);
    await expect(left).rejects.toMatchObject({ code: "canceled" });
  });

  it("fails as unavailable where no replica can be reached, and with the error of its body", async () => {
    const upstream = upstreamOf("http://127.0.0.1:1");
    expect(await reason(send(upstream, callOf()))).toBe("TEMPORARILY_UNAVAILABLE");
    const broken = new Error("too large");
    await expect(send(upstream, callOf({ receive: () => Promise.reject(broken) }))).rejects.toBe(broken);
  });
});
