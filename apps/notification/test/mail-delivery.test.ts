import { Notification_State, OrderEvent_Kind } from "@rialto/contracts";
import { isUnavailable } from "@rialto/rpc";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { createSmtpTransport } from "../src/transport/smtp.ts";
import { as, mailFrom, orderEvent } from "./fixture.ts";
import { listedFirst, only, openMail } from "./mail-fixture.ts";

const opened = await openMail();
const { fixture, server, transport, service } = opened;
afterAll(opened.close);
beforeEach(opened.forget);

const listed = () => listedFirst(service);

describe("one mail an event", () => {
  it("although the event is delivered twice, one after the other or at once", async () => {
    const event = orderEvent(OrderEvent_Kind.SHIPPED);
    const other = fixture.start(transport);
    await Promise.allSettled([service.orderMail(event), other.orderMail(event)]);
    await service.orderMail(event);
    only(server.mails);
    expect(await listed()).toMatchObject({ state: Notification_State.SENT });
    expect(await fixture.inboxOf(event.id)).toEqual(["order-mail"]);
  });

  it("known by its Message-ID as the same where the process died between the sending and the commit", async () => {
    const event = orderEvent(OrderEvent_Kind.SHIPPED);
    const dying = fixture.start(transport, (store) => ({
      ...store,
      finish: async () => {
        throw new Error("the process died");
      },
    }));
    await expect(dying.orderMail(event)).rejects.toThrow("the process died");
    expect(await listed()).toMatchObject({ state: Notification_State.QUEUED });
    // Held by the dead process still: nobody else sends it yet, and that is no failure of the event.
    await expect(service.orderMail(event)).rejects.toSatisfy(isUnavailable);
    await fixture.passTime(60_000);
    await service.orderMail(event);
    await service.sweep();
    expect(server.mails).toHaveLength(2);
    expect(new Set(server.mails.map(({ messageId }) => messageId)).size).toBe(1);
    expect(await listed()).toMatchObject({ state: Notification_State.SENT, messageId: server.mails[0]?.messageId });
  });

  it("sent by the sweeper where the process died before it", async () => {
    const event = orderEvent(OrderEvent_Kind.DELIVERED);
    const dying = fixture.start({
      ...transport,
      send: () => new Promise(() => {}),
    });
    void dying.orderMail(event);
    await expect.poll(async () => (await listed())?.state).toBe(Notification_State.QUEUED);
    await service.sweep();
    expect(server.mails).toEqual([]);
    await fixture.passTime(60_000);
    await service.sweep();
    only(server.mails);
    await service.orderMail(event);
    only(server.mails);
    fixture.asked.usersAreDown = true;
    await service.orderMail(event);
    only(server.mails);
  });
});

describe.each([
  ["behind", -25_000],
  ["ahead of", 25_000],
])("a process whose clock is 25 s %s another's", (_, clockAheadMs) => {
  it("sends no mail that the other one is sending", async () => {
    const began = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const slow = fixture.start({
      ...transport,
      async send(...mail) {
        began.resolve();
        await answered.promise;
        await transport.send(...mail);
      },
    });
    const event = orderEvent(OrderEvent_Kind.SHIPPED);
    const sending = slow.orderMail(event);
    await began.promise;
    const other = fixture.start(transport, undefined, clockAheadMs);
    await other.sweep();
    await expect(other.orderMail(event)).rejects.toSatisfy(isUnavailable);
    expect(server.mails).toEqual([]);
    answered.resolve();
    await sending;
    only(server.mails);
  });

  it("holds its own mails for as long as the other one does, should it die", async () => {
    const event = orderEvent(OrderEvent_Kind.SHIPPED);
    const dying = fixture.start({ ...transport, send: () => new Promise(() => {}) }, undefined, clockAheadMs);
    void dying.orderMail(event);
    await expect.poll(async () => (await listed())?.state).toBe(Notification_State.QUEUED);
    await fixture.passTime(10_000);
    await service.sweep();
    expect(server.mails).toEqual([]);
    await fixture.passTime(15_000);
    await service.sweep();
    only(server.mails);
  });

  it("tries again a mail that was not taken when the other one would", async () => {
    server.refuse = { at: "recipient", answer: { code: 451, text: "greylisted" } };
    const event = orderEvent(OrderEvent_Kind.SHIPPED);
    await expect(fixture.start(transport, undefined, clockAheadMs).orderMail(event)).rejects.toSatisfy(isUnavailable);
    server.refuse = undefined;
    await fixture.passTime(2_000);
    await service.sweep();
    only(server.mails);
  });
});

describe("a mail server that says no", () => {
  it.each(["recipient", "text"] as const)(
    "for good, at the %s, ends the message as FAILED with what it said",
    async (at) => {
      server.refuse = { at, answer: { code: 550, text: "no such mailbox" } };
      const event = orderEvent(OrderEvent_Kind.CONFIRMED);
      await service.orderMail(event);
      expect(await listed()).toMatchObject({
        state: Notification_State.FAILED,
        lastError: expect.stringContaining("no such mailbox"),
      });
      expect(await fixture.inboxOf(event.id)).toEqual(["order-mail"]);
    },
  );

  it("for now is asked again later, and the event has not failed", async () => {
    server.refuse = { at: "recipient", answer: { code: 451, text: "greylisted" } };
    const event = orderEvent(OrderEvent_Kind.CONFIRMED);
    await expect(service.orderMail(event)).rejects.toSatisfy(isUnavailable);
    expect(await listed()).toMatchObject({
      state: Notification_State.QUEUED,
      lastError: expect.stringContaining("greylisted"),
    });
    server.refuse = undefined;
    await fixture.passTime(120_000);
    await service.sweep();
    only(server.mails);
    expect(await listed()).toMatchObject({ state: Notification_State.SENT, lastError: "" });
  });

  it("by being away is asked again later", async () => {
    const away = createSmtpTransport({ from: mailFrom, url: "smtp://127.0.0.1:1" });
    const event = orderEvent(OrderEvent_Kind.CONFIRMED);
    await expect(fixture.start(away).orderMail(event)).rejects.toSatisfy(isUnavailable);
    await away.close();
    // Its reader learns what kind of failure it was, and not where our mail server is.
    expect(await listed()).toMatchObject({ lastError: "not sent (ESOCKET)" });
    await fixture.passTime(120_000);
    await service.orderMail(event);
    only(server.mails);
  });
});

describe("a mail that fails with nothing down", () => {
  it("waits for a person after some tries, who finds it and has it sent once more", async () => {
    let tries = 0;
    const faulty = fixture.start({
      ...transport,
      send: async () => {
        tries += 1;
        throw new TypeError("a defect of the renderer");
      },
    });
    const event = orderEvent(OrderEvent_Kind.CONFIRMED);
    await expect(faulty.orderMail(event)).rejects.toSatisfy(isUnavailable);
    for (let n = 0; n < 12; n += 1) {
      await fixture.passTime(120_000);
      await faulty.sweep();
    }
    expect(tries).toBe(8);
    const failed = async () =>
      (await service.calls.listNotifications({ state: Notification_State.FAILED }, as("ADMIN"))).notifications;
    const [message] = (await failed()).filter(({ lastError }) => lastError === "not sent");
    // The event is done with: whoever handles it again changes nothing.
    await faulty.orderMail(event);
    expect(tries).toBe(8);
    await service.calls.resendNotification({ id: message?.id ?? "" }, as("ADMIN"));
    await service.sweep();
    only(server.mails);
    expect((await failed()).map(({ id }) => id)).not.toContain(message?.id);
  });

  it("is not counted while something is down, for as long as that takes", async () => {
    const down = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const away = fixture.start({ ...transport, send: () => Promise.reject(down) });
    await expect(away.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED))).rejects.toSatisfy(isUnavailable);
    for (let n = 0; n < 12; n += 1) {
      await fixture.passTime(120_000);
      await away.sweep();
    }
    expect(await listed()).toMatchObject({ state: Notification_State.QUEUED });
    await fixture.passTime(120_000);
    await service.sweep();
    only(server.mails);
  });
});
