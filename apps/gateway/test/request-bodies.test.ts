import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

const login = "/rialto.user.v1.AuthService/Login";
const credentials = JSON.stringify({ email: "ada@example.com", password: "a password" });

/** The status of a valid login, and of health after it. */
async function others() {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(system.url + login, { method: "POST", headers, body: credentials });
  const health: unknown = await (await fetch(`${system.url}/health/services`)).json();
  return [answer.status, health];
}

const allWell = [200, { status: "ok" }];

describe.each([
  ["in the gateway's process", false],
  ["in another process", true],
])("a body for a service %s", (_place, overNetwork) => {
  it.each([
    ["with a content length", false],
    ["without a content length", true],
  ])("%s is refused if it is too large, and no other call fails with it", async (_how, isChunked) => {
    system = await startStubSystem({}, { overNetwork });
    for (let call = 0; call < 6; call += 1) {
      const large = Buffer.alloc(1_100_000, " ");
      async function* chunks() {
        for (let at = 0; at < large.length; at += 50_000) yield large.subarray(at, at + 50_000);
      }
      const body = isChunked ? { body: chunks(), duplex: "half" as const } : { body: large };
      const headers = { "content-type": "application/json" };
      const answer = await fetch(system.url + login, { method: "POST", headers, ...body });
      expect([answer.status, await answer.json()]).toMatchObject([413, { code: "invalid_argument" }]);
    }
    expect(await others()).toMatchObject(allWell);
  });

  it("that is too large is refused so that a client which sends all of it first can read why", async () => {
    system = await startStubSystem({}, { overNetwork });
    const { port } = new URL(system.url);
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    // In a few pieces: the client is still writing when the answer comes, and done within the second that it has.
    const bytes = 3 * 1024 * 1024;
    const piece = Buffer.alloc(bytes / 8, " ");
    socket.write(
      `POST ${login} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`,
    );
    socket.pause();
    for (let sent = 0; sent < bytes; sent += piece.length) {
      socket.write(piece);
      await sleep(5);
    }
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text.slice(0, 12)).toBe("HTTP/1.1 413");
  });

  it("that does not arrive before its deadline is abandoned, and no other call fails with it", async () => {
    system = await startStubSystem({}, { overNetwork });
    const { port } = new URL(system.url);
    const head = `POST ${login} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n`;
    const late = Array.from({ length: 300 }, async () => {
      const socket = connect(Number(port), "127.0.0.1");
      socket.write(`${head}connect-timeout-ms: 200\r\ncontent-length: 50\r\n\r\n{`);
      let text = "";
      for await (const chunk of socket) text += chunk;
      return text.slice(0, 12);
    });
    expect(new Set(await Promise.all(late))).toEqual(new Set(["HTTP/1.1 504"]));
    expect(await others()).toMatchObject(allWell);
  });

  it.each(["HTTP/1.1", "HTTP/2"])("that its client aborts over %s is logged as no one's defect", async (http) => {
    system = await startStubSystem({}, { overNetwork });
    const { port } = new URL(system.url);
    const arrived = () => expect.poll(() => system.lines.filter(({ status }) => status === 499)).toHaveLength(1);
    const type = "application/json";
    if (http === "HTTP/1.1") {
      const socket = connect(Number(port), "127.0.0.1");
      const head = `POST ${login} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 50\r\n\r\n{`;
      socket.write(head, () => setTimeout(() => socket.destroy(), 50));
      await arrived();
    } else {
      const session = connectHttp2(system.url);
      const call = session.request({ ":method": "POST", ":path": login, "content-type": type });
      call.on("error", () => undefined);
      call.write("{", () => setTimeout(() => call.close(8), 50));
      await arrived();
      session.destroy();
    }
    expect(system.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    expect(await others()).toMatchObject(allWell);
  });
});
