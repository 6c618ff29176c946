import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { endWithBody, limitWriteTime } from "../src/index.ts";
import { arrived, echo, post, wholePorts } from "./whole-ports.ts";

const { client, serve } = wholePorts();

describe("a whole response", () => {
  it("has the fields that were set, the last of each, and parts of a body as one", async () => {
    const { port } = await serve((_req, res) => {
      res.setHeader("X-A", "1").setHeader("x-a", 2);
      res.statusCode = 418;
      res.write("a");
      res.write(Buffer.from("b"));
      res.end("ü");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/^HTTP\/1.1 418 [\s\S]*\r\nx-a: 2\r\n[\s\S]*content-length: 4\r\n\r\nab\xc3\xbc$/);
  });

  it("has trailers after its body", async () => {
    const { port } = await serve((_req, res) => {
      res.writeHead(200, { "content-type": "a/b", "content-length": 2 });
      res.write("ab");
      res.addTrailers({ "X-T": "1" });
      res.end();
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toContain("\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n");
    expect(text()).not.toContain("content-length");
  });

  it.each([204, 304])("of %s has no body", async (status) => {
    const { port } = await serve((_req, res) => void res.writeHead(status).end());
    const { socket, text, answers } = client(port);
    for (const count of [1, 2]) {
      socket.write(post("{}"));
      await expect.poll(answers).toBe(count);
    }
    expect(text()).not.toContain("content-length");
  });

  it("is not written with a field that would be two lines, or of characters that are no bytes", async () => {
    const { port } = await serve((_req, res) => {
      for (const value of ["a\r\nb: c", "\u010a"]) expect(() => res.writeHead(200, ["x-a", value])).toThrow(TypeError);
      expect(() => res.writeHead(200, ["x a", "1"])).toThrow(TypeError);
      res.writeHead(200, ["x-a", "still"]).end();
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toContain("x-a: still");
  });

  it("leaves nothing of a head that was refused to the answer in its place", async () => {
    const { port } = await serve((_req, res) => {
      expect(() => res.setHeader("x-a", "a\x01b")).toThrow(TypeError);
      expect(() => res.setHeader("x-a", ["a", "b\r\n"])).toThrow(TypeError);
      expect(() => res.writeHead(200, { "content-length": "7", "x-b": "\n" })).toThrow(TypeError);
      expect(() => res.writeHead(99)).toThrow(RangeError);
      res.writeHead(500, { "x-c": "1" }).end("error");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/^HTTP\/1.1 500 [\s\S]*content-length: 5\r\n\r\nerror$/);
    expect(text()).not.toMatch(/x-[ab]/);
  });

  it("refuses trailers that it cannot write before it ends", async () => {
    const { port } = await serve((_req, res) => {
      expect(() => res.addTrailers({ "x-t": "a\r\nb: c" })).toThrow(TypeError);
      expect(res.writableEnded).toBe(false);
      res.end("still");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/content-length: 5\r\n[\s\S]*still$/);
  });

  it("takes text in the encodings of Node's, and no call-back or reason", async () => {
    const { port } = await serve((_req, res) => {
      for (const wrong of [() => res.end(() => undefined), () => res.write("a", () => undefined)])
        expect(wrong).toThrow(TypeError);
      expect(() => res.writeHead(200, "Fine")).toThrow(TypeError);
      res.write("ü", "latin1");
      res.write("c3bc", "hex");
      res.end("ü", "utf8");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/content-length: 5\r\n\r\n\xfc\xc3\xbc\xc3\xbc$/);
  });

  it("has finished and closed before the next request of its connection begins", async () => {
    const [events, held]: [string[], (() => void)[]] = [[], []];
    const { port } = await serve((req, res) => {
      events.push("request");
      for (const event of ["finish", "close"]) res.on(event, () => events.push(event));
      held.push(() => echo(req, res));
    });
    const { socket, answers } = client(port);
    socket.write(post("first"));
    await expect.poll(() => held.length).toBe(1);
    await new Promise<void>((resolve) => void socket.write(post("second"), () => resolve()));
    await arrived();
    held.shift()?.();
    await expect.poll(() => held.length).toBe(1);
    held.shift()?.();
    await expect.poll(answers).toBe(2);
    expect(events.slice(0, 4)).toEqual(["request", "finish", "close", "request"]);
  });

  it("is the last of its connection where it says so in a list, and what comes behind it is no request", async () => {
    let begun = 0;
    const { port } = await serve((_req, res) => {
      begun += 1;
      res.setHeader("connection", "close, x");
      res.end("last");
      // The connection is still there, and has the next request at once.
      res.socket?.once("finish", () => res.socket?.emit("data", Buffer.from(post("next"))));
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await once(socket, "close");
    expect(text()).toContain("connection: close\r\n");
    expect(begun).toBe(1);
  });

  it("ends its connection where it says so, and where the port drains", async () => {
    const { port } = await serve((_req, res) => void res.setHeader("connection", "close").end());
    const first = client(port);
    first.socket.write(post("{}"));
    await once(first.socket, "close");
    expect(first.text()).toContain("connection: close\r\n");

    const draining = await serve();
    const second = client(draining.port);
    second.socket.write(post("{}"));
    await expect.poll(second.answers).toBe(1);
    draining.drain();
    second.socket.write(post("{}"));
    await once(second.socket, "close");
    expect(second.text().match(/^connection: .*/gm)).toEqual(["connection: keep-alive", "connection: close"]);
  });

  it("closes with its connection where its client does not read it in time", async () => {
    const closed = Promise.withResolvers<boolean>();
    const { port } = await serve((_req, res) => {
      res.writeHead(200, ["content-type", "a/b"]);
      endWithBody(res, Buffer.alloc(32 * 1024 * 1024));
      limitWriteTime(res, { ms: 50, bytesPerSecond: 1e9 });
      res.once("close", () => closed.resolve(res.writableFinished));
    });
    const { socket } = client(port);
    socket.pause();
    socket.write(post("{}"));
    expect(await closed.promise).toBe(false);
  });
});
