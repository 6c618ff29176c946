import { create } from "@bufbuild/protobuf";
import { Order_RejectionReason, OrderEvent_Kind, UserSchema } from "@rialto/contracts";
import { isUnavailable } from "@rialto/rpc";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { ada, as, order, orderEvent, resetRequested, usedReset, userCreated } from "./fixture.ts";
import { only, openMail } from "./mail-fixture.ts";

const opened = await openMail();
const { fixture, server, service } = opened;
afterAll(opened.close);
beforeEach(opened.forget);

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
