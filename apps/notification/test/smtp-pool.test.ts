import { v7 as uuidv7 } from "uuid";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSmtpTransport } from "../src/transport/smtp.ts";
import { mailFrom } from "./fixture.ts";
import { startMailServer } from "./mail-server.ts";

const mail = () => {
  const id = uuidv7();
  const content = { subject: "Welcome", text: "Welcome.", html: "<p>Welcome.</p>" };
  return { ...content, name: id, messageId: `<${id}@rialto.example>`, to: { name: "Ada", address: "ada@example.com" } };
};

async function startBoth() {
  const server = await startMailServer();
  const transport = createSmtpTransport({ from: mailFrom, url: server.url });
  onTestFinished(async () => {
    await transport.close();
    await server.close();
  });
  const { signal } = new AbortController();
  return { server, send: () => transport.send(mail(), signal) };
}

describe("connections to the mail server", () => {
  it("carry one mail after the other", async () => {
    const { server, send } = await startBoth();
    for (let n = 0; n < 30; n += 1) await send();
    expect(server.mails).toHaveLength(30);
    expect(server.connections).toBe(1);
  });

  it("are four at the most, however many mails are sent at once", async () => {
    const { server, send } = await startBoth();
    await Promise.all(Array.from({ length: 60 }, send));
    expect(server.mails).toHaveLength(60);
    expect(server.connections).toBeLessThanOrEqual(4);
  });

  it("are not used for ever: after a hundred mails there is a new one", async () => {
    const { server, send } = await startBoth();
    for (let n = 0; n < 101; n += 1) await send();
    expect(server.mails).toHaveLength(101);
    expect(server.connections).toBe(2);
  });
});
