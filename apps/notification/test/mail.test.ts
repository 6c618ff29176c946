import { create } from "@bufbuild/protobuf";
import { Notification_State, Order_RejectionReason, OrderEvent_Kind, UserSchema } from "@rialto/contracts";
import { isUnavailable, nextPageToken, reasonOf } from "@rialto/rpc";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSmtpTransport } from "../src/transport/smtp.ts";
import type { MailTransport } from "../src/transport/transport.ts";
import {
  ada,
  as,
  mailFrom,
  openFixture,
  order,
  orderEvent,
  resetRequested,
  usedReset,
  userCreated,
} from "./fixture.ts";
import { type MailServer, startMailServer } from "./mail-server.ts";

let fixture: Awaited<ReturnType<typeof openFixture>>;
let server: MailServer;
let transport: MailTransport;
let service: ReturnType<typeof fixture.start>;

beforeAll(async () => {
  fixture = await openFixture();
  server = await startMailServer();
  transport = createSmtpTransport({ from: mailFrom, url: server.url });
  service = fixture.start(transport);
});
afterAll(async () => {
  await transport.close();
  await server.close();
  await fixture.close();
});
beforeEach(() => {
  server.mails.length = 0;
  server.refuse = undefined;
  fixture.asked.user = ada;
  fixture.asked.previousEmail = "";
  fixture.asked.usersAreDown = false;
});

const only = <T>(list: readonly T[]): T => {
  expect(list).toHaveLength(1);
  return list[0] as T;
};
const listed = async () =>
  (await service.calls.listNotifications({ orderId: order.id, pageSize: 1 }, as("ADMIN"))).notifications[0];

describe("the mail about a confirmed order", () => {
  it("has a text and an HTML part with the goods, the prices and the address", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const mail = only(server.mails);
    expect(mail.subject).toMatch(/^Your order [0-9A-F]{8} is confirmed$/);
    expect(mail.from?.text).toContain("shop@rialto.example");
    expect(mail.to).toMatchObject({ value: [{ address: ada.email, name: ada.name }] });
    expect(mail.text).toContain("2 x Mug & Saucer <large> at €12.50: €25.00");
    expect(mail.text).toContain("Order total: €74.99");
    expect(mail.text).toContain("30100 Venice");
    expect(mail.text).toContain(`Order ${order.id}`);
    expect(mail.html).toContain("Mug &amp; Saucer &lt;large&gt;");
    expect(mail.html).toContain("€74.99");
  });

  it("escapes names in the HTML part", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const { html } = only(server.mails);
    expect(html).toContain("Hello Ada &lt;Lovelace&gt;,");
    expect(html).not.toContain("<Lovelace>");
    expect(html).not.toContain("<large>");
  });
});

describe("the mail of each kind", () => {
  it.each([
    [
      "rejected for the stock",
      OrderEvent_Kind.REJECTED,
      { rejectionReason: Order_RejectionReason.OUT_OF_STOCK },
      "enough items in stock",
    ],
    [
      "rejected for the card",
      OrderEvent_Kind.REJECTED,
      { rejectionReason: Order_RejectionReason.PAYMENT_DECLINED },
      "card was declined",
    ],
    ["cancelled", OrderEvent_Kind.CANCELLED, {}, "Your card was not charged"],
    [
      "shipped",
      OrderEvent_Kind.SHIPPED,
      { captured: { currencyCode: "EUR", minorUnits: 7499n } },
      "We charged €74.99 to your card",
    ],
    ["delivered", OrderEvent_Kind.DELIVERED, {}, "was delivered"],
  ])("says that an order was %s", async (_, kind, more, words) => {
    await service.orderMail(orderEvent(kind, more));
    const mail = only(server.mails);
    expect(mail.text?.replaceAll("\n", " ")).toContain(words);
    expect(mail.html).toContain(words);
  });

  const euros = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });

  it.each([
    ["all", 7499n, "We refunded the €74.99 that we charged to your card."],
    ["a part", 5000n, "We charged €74.99 to your card and have refunded €50.00 so far."],
    ["none", 0n, "We charged €74.99 to your card and have refunded €0.00 so far."],
  ])("says of a canceled order whose card was charged that %s of it was refunded", async (_, refunded, words) => {
    const event = orderEvent(OrderEvent_Kind.CANCELLED, { captured: euros(7499n), refunded: euros(refunded) });
    await service.orderMail(event);
    const { text = "", html } = only(server.mails);
    for (const part of [text.replaceAll("\n", " "), html]) {
      expect(part).toContain(words);
      expect(part).not.toMatch(/not charged|released/i);
    }
  });

  it("welcomes a new customer, with nothing that they wrote: the address may be a stranger's", async () => {
    fixture.asked.user = create(UserSchema, { ...ada, name: "Win a prize at https://evil.example" });
    await service.welcomeMail(userCreated());
    const { subject, text, html, to } = only(server.mails);
    expect(subject).toBe("Welcome to Rialto");
    expect(`${text} ${html} ${JSON.stringify(to)}`).not.toMatch(/prize|evil/);
  });

  it("holds nothing that a customer wrote where nobody has confirmed the address", async () => {
    const { emailConfirmTime: _, ...unconfirmed } = ada;
    fixture.asked.user = create(UserSchema, { ...unconfirmed, name: "Win a prize at https://evil.example" });
    for (const kind of [OrderEvent_Kind.CONFIRMED, OrderEvent_Kind.SHIPPED]) await service.orderMail(orderEvent(kind));
    expect(server.mails).toHaveLength(2);
    for (const { text = "", html, to } of server.mails) {
      expect(`${text} ${html} ${JSON.stringify(to)}`).not.toMatch(/prize|evil|Canal|Venice|30100/);
      expect(text).toContain("Teapot");
    }
  });

  it("keeps a name that was given before line breaks were refused on one line", async () => {
    fixture.asked.user = create(UserSchema, { ...ada, name: "Ada\r\n\r\nYou have won:\u2028\u202egro.live" });
    await service.orderMail(orderEvent(OrderEvent_Kind.DELIVERED));
    const { text = "" } = only(server.mails);
    expect(text.split("\n")[0]).toBe("Hello Ada You have won: gro.live,");
  });

  it.each([
    OrderEvent_Kind.PLACED,
    OrderEvent_Kind.STOCK_RESERVED,
    OrderEvent_Kind.CANCEL_REQUESTED,
    OrderEvent_Kind.SHIP_REQUESTED,
    OrderEvent_Kind.REFUNDED,
    OrderEvent_Kind.ATTENTION_RAISED,
  ])("is none for the event of kind %s", async (kind) => {
    await service.orderMail(orderEvent(kind));
    expect(server.mails).toEqual([]);
  });
});

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

describe("ResendNotification", () => {
  it("sends the message as it was, under its Message-ID", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const { id = "" } = (await listed()) ?? {};
    const { notification } = await service.calls.resendNotification({ id }, as("ADMIN"));
    expect(notification?.state).toBe(Notification_State.QUEUED);
    await service.sweep();
    const [first, second, ...others] = server.mails;
    expect(others).toEqual([]);
    expect(second).toMatchObject({
      messageId: first?.messageId,
      subject: first?.subject,
      text: first?.text,
      html: first?.html,
    });
  });

  it("queues once for one Idempotency-Key", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const { id = "" } = (await listed()) ?? {};
    const admin = as("ADMIN");
    const key = { idempotencyKey: `again-${id}` };
    const first = await service.calls.resendNotification({ id }, admin, key);
    await service.sweep();
    expect(await service.calls.resendNotification({ id }, admin, key)).toEqual(first);
    await service.sweep();
    expect(server.mails).toHaveLength(2);
  });

  it("is refused for a message that waits already, and for none", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const { id = "" } = (await listed()) ?? {};
    await service.calls.resendNotification({ id }, as("ADMIN"));
    await expect(service.calls.resendNotification({ id }, as("ADMIN"))).rejects.toSatisfy(
      (error) => reasonOf(error) === "NOTIFICATION_NOT_SENT_YET",
    );
    await service.sweep();
    await expect(service.calls.resendNotification({ id: ada.id }, as("ADMIN"))).rejects.toSatisfy(
      (error) => reasonOf(error) === "NOTIFICATION_NOT_FOUND",
    );
  });
});

describe("the text of a message", () => {
  const days = (count: number) => count * 24 * 3_600_000;

  it("and its address are kept for 30 days; the message stays listed after that, and cannot be sent again", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const sent = await listed();
    const { id = "" } = sent ?? {};
    await fixture.passTime(days(29));
    await service.forgetText();
    expect(await kept(id)).toEqual({ html: true, address: "ada@example.com" });
    await fixture.passTime(days(1) + 1_000);
    await service.forgetText();
    expect(await kept(id)).toEqual({ html: false, address: "" });
    expect(await listed()).toEqual(sent);
    await expect(service.calls.resendNotification({ id }, as("ADMIN"))).rejects.toSatisfy(
      (error) => reasonOf(error) === "NOTIFICATION_TEXT_GONE",
    );
  });

  it("is kept for as long as it waits to be sent", async () => {
    await service.orderMail(orderEvent(OrderEvent_Kind.CONFIRMED));
    const { id = "" } = (await listed()) ?? {};
    await service.calls.resendNotification({ id }, as("ADMIN"));
    await fixture.passTime(days(60));
    await service.forgetText();
    expect(await kept(id)).toEqual({ html: true, address: "ada@example.com" });
    await service.sweep();
    expect(server.mails).toHaveLength(2);
  });

  async function kept(id: string) {
    const [row] = await fixture.database.sql`
      select html <> '' as html, recipient_address as address from notification where id = ${id}`;
    return row;
  }
});

describe("ListNotifications", () => {
  it("pages newest first, a customer's own only", async () => {
    await service.welcomeMail(userCreated());
    const own = as("CUSTOMER", ada.id);
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await service.calls.listNotifications({ pageSize: 3, pageToken }, own);
      ids.push(...page.notifications.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    const everything = await service.calls.listNotifications({ userId: ada.id, pageSize: 200 }, as("ADMIN"));
    expect(everything.notifications.map(({ id }) => id)).toEqual(ids);
    expect((await service.calls.listNotifications({}, as("CUSTOMER"))).notifications).toEqual([]);
    await expect(service.calls.listNotifications({ userId: ada.id }, as("CUSTOMER"))).rejects.toSatisfy(
      (error) => reasonOf(error) === "ACCESS_DENIED",
    );
  });

  it("takes no page token that somebody else made", async () => {
    const pageToken = nextPageToken(["made up"], { userId: undefined, orderId: undefined });
    await expect(service.calls.listNotifications({ pageToken }, as("ADMIN"))).rejects.toSatisfy(
      (error) => reasonOf(error) === "PAGE_TOKEN_INVALID",
    );
  });
});

describe("the mail that sets a new password", () => {
  it("has a link that is in the mail alone", async () => {
    await service.resetMail(resetRequested());
    const mail = only(server.mails);
    expect(mail.text).toMatch(/https:\/\/shop\.example\/reset-password#secret-\d+\n/);
    expect(mail.text).toContain("until January 1, 12:30 UTC");
    const kept = await fixture.database
      .sql`select row_to_json(n)::text from notification n where kind = 'PASSWORD_RESET'`;
    expect(JSON.stringify(kept)).not.toContain("secret-");
  });

  it.each(["https://evil.example/?{{link}}", "{{link}} {{until}}", "$&{{link}}$'", "<a href='https://evil.example'>"])(
    "holds nothing of the name %j that its account was opened under",
    async (name) => {
      fixture.asked.user = create(UserSchema, { ...ada, name });
      const event = resetRequested();
      await service.resetMail(event);
      const { text = "", html, to } = only(server.mails);
      expect(`${text} ${html} ${JSON.stringify(to)}`).not.toMatch(/evil|\{\{|\$|Lovelace/);
      expect(text.match(/secret-\d+/g)).toHaveLength(1);
      const [kept] = await fixture.database
        .sql`select row_to_json(n)::text as row from notification n where event_id = ${event.id}`;
      expect(kept?.row).not.toMatch(/evil|Lovelace/);
    },
  );

  it("is not made of what an older version wrote down with the name in it", async () => {
    const event = resetRequested();
    server.refuse = { at: "recipient", answer: { code: 451, text: "greylisted" } };
    await expect(service.resetMail(event)).rejects.toSatisfy(isUnavailable);
    server.refuse = undefined;
    await fixture.database.sql`
      update notification set text = 'Hello https://evil.example/?{{link}},', html = '<p>https://evil.example/?{{link}}</p>'
      where event_id = ${event.id}`;
    await fixture.passTime(120_000);
    await service.sweep();
    const { text = "", html } = only(server.mails);
    expect(text).toMatch(/https:\/\/shop\.example\/reset-password#secret-\d+\n/);
    expect(`${text} ${html}`).not.toContain("evil");
  });

  it("has a new link where it is sent once more", async () => {
    const event = resetRequested();
    await service.resetMail(event);
    const [first] = server.mails;
    const [row] = await fixture.database.sql<
      { id: string }[]
    >`select id from notification where event_id = ${event.id}`;
    await service.calls.resendNotification({ id: row?.id ?? "" }, as("ADMIN"));
    await service.sweep();
    const links = server.mails.map(({ text }) => /#(secret-\d+)/.exec(text ?? "")?.[1]);
    expect(links).toHaveLength(2);
    expect(links[1]).not.toBe(links[0]);
    expect(first?.messageId).toBe(server.mails[1]?.messageId);
  });

  it("is not sent where the reset is over", async () => {
    const event = resetRequested(usedReset);
    await service.resetMail(event);
    expect(server.mails).toHaveLength(0);
    const rows = await fixture.database.sql`select state, last_error from notification where event_id = ${event.id}`;
    expect(rows[0]).toEqual({ state: "FAILED", last_error: "the reset was used, or has ended" });
  });
});
