import { Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ask, codeOf, createFixture, ok } from "./byte-server.ts";

const { serve, client, closeAll } = createFixture();
afterEach(() => {
  vi.restoreAllMocks();
  closeAll();
});

const everyByte = (size: number) => Uint8Array.from({ length: size + 3 }, (_, at) => at).subarray(3);

describe("a request", () => {
  it("has its line, its host, its fields and the length of its body", async () => {
    const heads: string[] = [];
    const { origin } = await serve((socket, { head, body }) => {
      heads.push(head + body);
      socket.write(ok());
    });
    const fields = { "x-text": "a \xe4", "x-list": ["1", "2"], "content-length": "99", connection: "close" };
    await ask(client(), origin, { verb: "POST", path: "/a?b=c", fields, body: Buffer.from("body") });
    const host = origin.slice("http://".length);
    expect(heads).toEqual([
      `POST /a?b=c HTTP/1.1\r\nhost: ${host}\r\nx-text: a \xe4\r\nx-list: 1\r\nx-list: 2\r\ncontent-length: 4\r\n\r\nbody`,
    ]);
  });

  it("is looked at again where a path or a field is not the one before, and has what was written", async () => {
    const { origin } = await serve((socket, { head }) => void socket.write(ok(head)));
    const one = client();
    for (const [path, value] of [
      ["/1", "a"],
      ["/1", "a"],
      ["/2", "b"],
      ["/2", "a"],
    ] as const)
      expect(await ask(one, origin, { path, fields: { host: "x", "x-a": value } })).toMatchObject({
        body: `GET ${path} HTTP/1.1\r\nhost: x\r\nx-a: ${value}\r\n\r\n`,
      });
    for (const [path, value] of [
      ["/2", "a\r\nb: c"],
      ["/2 b", "a"],
    ] as const)
      expect(await codeOf(ask(one, origin, { path, fields: { host: "x", "x-a": value } }))).toBe(
        "ERR_REQUEST_MALFORMED",
      );
    expect(await ask(one, origin, { path: "/2", fields: { host: "x", "x-a": "a" } })).toMatchObject({
      body: "GET /2 HTTP/1.1\r\nhost: x\r\nx-a: a\r\n\r\n",
    });
  });

  it("has the long values that came before, in whatever field they are", async () => {
    const { origin } = await serve((socket, { head }) => void socket.write(ok(head)));
    const one = client();
    const [a, b] = ["a".repeat(500), "b".repeat(500)];
    for (const fields of [{ one: a }, { one: b }, { two: a }, { one: a, two: a }, { one: a, two: b }, { one: b }]) {
      const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
      const { body } = await ask(one, origin, { fields: { host: "x", ...fields } });
      expect(body).toBe(`GET / HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n`);
    }
    const broken = ask(one, origin, { fields: { host: "x", one: `${a}\r\nc: d` } });
    expect(await codeOf(broken)).toBe("ERR_REQUEST_MALFORMED");
  });

  it("has a field of its own in the place of the one of its name, and no other", async () => {
    const { origin } = await serve((socket, { head }) => void socket.write(ok(head)));
    const one = client();
    const replaced = ["x-timeout", "5"] as const;
    const bodyOf = async (fields: Readonly<Record<string, string>>) =>
      (await ask(one, origin, { fields: { host: "x", ...fields }, replaced })).body;
    expect(await bodyOf({ a: "1", "x-timeout": "9" })).toBe(
      "GET / HTTP/1.1\r\nx-timeout: 5\r\nhost: x\r\na: 1\r\n\r\n",
    );
    expect(await bodyOf({ a: "1" })).toBe("GET / HTTP/1.1\r\nx-timeout: 5\r\nhost: x\r\na: 1\r\n\r\n");
    const broken = ask(one, origin, { replaced: ["x-timeout", "5\r\na: b"] });
    expect(await codeOf(broken)).toBe("ERR_REQUEST_MALFORMED");
  });

  it("has the host that its fields name", async () => {
    const { origin } = await serve((socket, { head }) => void socket.write(ok(head)));
    const { body } = await ask(client(), origin, { fields: { host: "example.com" } });
    expect(body).toBe("GET / HTTP/1.1\r\nhost: example.com\r\n\r\n");
  });

  it.each([0, 1, 1_000, 16 * 1024, 16 * 1024 + 1, 300_000])(
    "with a body of %s bytes leaves in one write",
    async (size) => {
      const { origin } = await serve((socket, { body }) => void socket.write(Buffer.from(ok(body), "latin1")));
      const one = client();
      await ask(one, origin);
      const port = Number(new URL(origin).port);
      const spies = [vi.spyOn(Socket.prototype, "_write"), vi.spyOn(Socket.prototype, "_writev")];
      const body = everyByte(size);
      const answer = await ask(one, origin, { verb: "POST", body });
      expect(Buffer.from(answer.body, "latin1").equals(body)).toBe(true);
      const writers = spies.flatMap(({ mock }) => mock.contexts);
      expect(writers.filter((socket) => socket instanceof Socket && socket.remotePort === port)).toHaveLength(1);
    },
  );

  it.each([
    { title: "a method that is none", asked: { verb: "GET /x HTTP/1.1\r\n\r\nGET" } },
    { title: "a method that opens a tunnel", asked: { verb: "CONNECT" } },
    { title: "a path with a blank", asked: { path: "/a b" } },
    { title: "a path with a line", asked: { path: "/a\r\nx:y" } },
    { title: "a path of other characters", asked: { path: "/\u{10a}" } },
    { title: "no path", asked: { path: "" } },
    { title: "a name that is none", asked: { fields: { "a b": "c" } } },
    { title: "a value with a line", asked: { fields: { a: "b\r\nc: d" } } },
    { title: "a value of characters that would be a line as bytes", asked: { fields: { a: "b\u{10d}\u{10a}c: d" } } },
    { title: "a list with a line", asked: { fields: { a: ["b", "\nc"] } } },
    { title: "a framing of its own", asked: { fields: { "transfer-encoding": "chunked" } } },
    { title: "an upgrade", asked: { fields: { upgrade: "h2c" } } },
    { title: "an expectation", asked: { fields: { expect: "100-continue" } } },
  ])("with $title is not sent", async ({ asked }) => {
    const arrived: string[] = [];
    const { origin } = await serve((_, { head }) => void arrived.push(head));
    expect(await codeOf(ask(client(), origin, asked))).toBe("ERR_REQUEST_MALFORMED");
    expect(arrived).toEqual([]);
  });
});
