import { Notification_State, OrderEvent_Kind } from "@rialto/contracts";
import { nextPageToken, reasonOf } from "@rialto/rpc";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { ada, as, orderEvent, userCreated } from "./fixture.ts";
import { listedFirst, openMail } from "./mail-fixture.ts";

const opened = await openMail();
const { fixture, server, service } = opened;
afterAll(opened.close);
beforeEach(opened.forget);

const listed = () => listedFirst(service);

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
