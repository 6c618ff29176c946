import type { ServerResponse } from "node:http";
import { connect, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { endWithBody, isAnswered, limitWriteTime, listenHttp } from "../src/index.ts";
import { TurnBatch } from "../src/turn-batch.ts";
import { ask, createFixture, ok } from "./byte-server.ts";

describe("what a turn has to write", () => {
  it("is written at its end, in order, and once", async () => {
    const batch = new TurnBatch();
    const written: number[] = [];
    for (const index of [0, 1, 2]) batch.add({ onTurnEnd: () => void written.push(index) });
    await Promise.resolve();
    expect(written).toEqual([]);
    await nextTurn();
    await nextTurn();
    expect(written).toEqual([0, 1, 2]);
  });

  it("is written before where it is a lot, so that the first does not wait for all", () => {
    const batch = new TurnBatch();
    const written: number[] = [];
    for (let index = 0; index < 20; index += 1) batch.add({ onTurnEnd: () => void written.push(index) });
    expect(written).toEqual(Array.from({ length: 16 }, (_, index) => index));
  });
});

describe("a response", () => {
  /** Starts a port, connects as many clients, and returns the responses to a request of each of them. */
  async function responsesTo(count: number): Promise<{ readonly responses: ServerResponse[]; got(): string[] }> {
    const responses: ServerResponse[] = [];
    const listener = await listenHttp({
      port: 0,
      host: "127.0.0.1",
      streamsMax: 10,
      onRequest: (_request, response) => void responses.push(response),
    });
    onTestFinished(() => listener.close({ graceMs: 0 }));
    const texts: string[] = [];
    for (let index = 0; index < count; index += 1) {
      texts.push("");
      const socket = connect(listener.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
      socket.on("data", (bytes) => {
        texts[index] += bytes.toString();
      });
      onTestFinished(() => void socket.destroy());
    }
    await vi.waitFor(() => expect(responses).toHaveLength(count));
    return { responses, got: () => texts };
  }

  it("is written after those of its turn were made, and takes no other answer meanwhile", async () => {
    const { responses, got } = await responsesTo(3);
    const writes = vi.spyOn(Socket.prototype, "write");
    onTestFinished(() => writes.mockRestore());
    for (const response of responses) {
      response.writeHead(200, { "content-length": 2 });
      endWithBody(response, Buffer.from("ok"));
      expect([isAnswered(response), response.writableEnded]).toEqual([true, false]);
    }
    expect(writes).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(got().map((text) => text.slice(-6))).toEqual(Array(3).fill("\r\n\r\nok")));
    expect(writes).toHaveBeenCalledTimes(3);
  });

  it("has its time to be read from when it is written: no timer where all of it was sent", async () => {
    const [response] = (await responsesTo(1)).responses;
    if (response === undefined) throw new Error("there is no response");
    response.writeHead(200, { "content-length": 2 });
    endWithBody(response, "ok");
    const timers = vi.spyOn(globalThis, "setTimeout");
    onTestFinished(() => timers.mockRestore());
    limitWriteTime(response, { ms: 987_654, bytesPerSecond: 1 });
    await nextTurn();
    await nextTurn();
    expect(response.writableEnded).toBe(true);
    expect(timers.mock.calls.filter(([, ms]) => (ms ?? 0) >= 987_654)).toEqual([]);
  });

  it("is dropped where its client is gone before the turn ends", async () => {
    const { responses, got } = await responsesTo(1);
    const [response] = responses;
    if (response === undefined) throw new Error("there is no response");
    response.writeHead(200, { "content-length": 2 });
    endWithBody(response, "ok");
    response.destroy();
    await nextTurn();
    await nextTurn();
    expect([isAnswered(response), response.writableEnded, got()]).toEqual([true, false, [""]]);
  });
});

describe("a request", () => {
  const { serve, client, closeAll } = createFixture();

  it("is answered by no response that came before it was written", async () => {
    const { origin, sockets } = await serve((socket, { path }) => void socket.write(ok(path)));
    const one = client();
    onTestFinished(closeAll);
    await ask(one, origin, { path: "/first" });
    await nextTurn();
    await nextTurn();
    await nextTurn();
    // In one turn: the response is in the client's buffer before the request leaves.
    sockets[0]?.write(ok("forged"));
    const asked = ask(one, origin, { path: "/second" });
    await expect(asked).rejects.toThrow("nobody asked for");
  });
});
