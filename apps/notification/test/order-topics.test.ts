import { OrderEvent_Kind } from "@rialto/contracts";
import { expect, it } from "vitest";
import { orderMailTopics } from "../src/delivery/order-mail.ts";
import { orderNotificationKind } from "../src/notification/state.ts";

it("asks for the order events that become a mail, and for no others", () => {
  const kinds = Object.values(OrderEvent_Kind).filter((kind) => typeof kind === "number");
  const mailed = kinds.filter((kind) => orderNotificationKind(kind) !== undefined);
  const topics = mailed.map((kind) => `order.${OrderEvent_Kind[kind]?.toLowerCase()}`);
  expect([...orderMailTopics].sort()).toEqual(topics.sort());
});
