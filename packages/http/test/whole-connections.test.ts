import { once } from "node:events";
import * as tls from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { createSelfSigned } from "./self-signed.ts";
import { echo, post, wholePorts } from "./whole-ports.ts";

const { client, open, serve } = wholePorts();

describe("an idle connection", () => {
  it("is closed after its time, and when the port closes", async () => {
    const { port, close } = await serve(echo, { timeouts: { idleMs: 50 } });
    const { socket, answers } = client(port);
    socket.write(post("{}"));
    await expect.poll(answers).toBe(1);
    await once(socket, "close");

    const lasting = await serve();
    const second = client(lasting.port);
    second.socket.write(post("{}"));
    await expect.poll(second.answers).toBe(1);
    const gone = once(second.socket, "close");
    await lasting.close();
    await gone;
    await close();
  });

  // A machine that stands still for most of a second closes it.
  it("has some more time than its client is told, since a request may be on its way", { retry: 3 }, async () => {
    const { port } = await serve(echo, { timeouts: { idleMs: 50 } });
    const { socket, answers } = client(port);
    socket.write(post("{}"));
    await expect.poll(answers).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.write(post("{}"));
    await Promise.race([once(socket, "close"), expect.poll(answers).toBe(2)]);
    expect(answers()).toBe(2);
  });
});

describe("a connection over TLS", () => {
  const { credentials, remove } = createSelfSigned();
  afterAll(remove);
  const connectTls = async (port: number) => {
    const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
    open.push(() => socket.destroy());
    socket.on("error", () => undefined).resume();
    await once(socket, "secureConnect");
    return socket;
  };

  // A machine that stands still for two seconds closes both.
  it("has the time of a head to send its first request, and that of a pause for the next", { retry: 3 }, async () => {
    const { port } = await serve(echo, { tls: credentials, timeouts: { headMs: 2_000, idleMs: 600_000 } });
    const used = await connectTls(port);
    used.write(post("{}"));
    await once(used, "data");
    await once(await connectTls(port), "close");
    used.write(post("{}"));
    await once(used, "data");
  });

  // A machine that stands still for a quarter of a second makes its request late.
  it("that had no request yet is answered while its port closes", { retry: 3 }, async () => {
    const { port, drain, close } = await serve(echo, { tls: credentials });
    const [used, unused] = [await connectTls(port), await connectTls(port)];
    used.write(post("{}"));
    await once(used, "data");
    drain();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const closed = close();
    await once(used, "close");
    unused.write(post("{}"));
    const [answer] = await once(unused, "data");
    expect(`${answer}`).toContain("connection: close");
    await closed;
  });
});
