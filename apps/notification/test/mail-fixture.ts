import { expect } from "vitest";
import { createSmtpTransport } from "../src/transport/smtp.ts";
import { ada, as, mailFrom, openFixture, order, type Process } from "./fixture.ts";
import { startMailServer } from "./mail-server.ts";

/** A process of the service, and the mail server that it sends to. */
export async function openMail() {
  const fixture = await openFixture();
  const server = await startMailServer();
  const transport = createSmtpTransport({ from: mailFrom, url: server.url });
  return {
    ...{ fixture, server, transport, service: fixture.start(transport) },
    /** Before a test: no mail has come, the server takes every one, and Ada is as she was. */
    forget(): void {
      server.mails.length = 0;
      server.refuse = undefined;
      fixture.asked.user = ada;
      fixture.asked.previousEmail = "";
      fixture.asked.usersAreDown = false;
    },
    async close(): Promise<void> {
      await transport.close();
      await server.close();
      await fixture.close();
    },
  };
}

export const only = <T>(list: readonly T[]): T => {
  expect(list).toHaveLength(1);
  return list[0] as T;
};

/** The newest message about Ada's order. */
export const listedFirst = async ({ calls }: Process) =>
  (await calls.listNotifications({ orderId: order.id, pageSize: 1 }, as("ADMIN"))).notifications[0];
