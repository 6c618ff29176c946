import { createHash } from "node:crypto";
import { OrderEvent_Kind } from "@rialto/contracts";

/**
 * One message to a person.
 *
 *     (event) --> QUEUED --the mail server took it--> SENT --+
 *                   ^  \--refused it for good--> FAILED --+  |
 *                   +--------------resend----------------+--+
 */
export interface Notification {
  readonly id: string;
  readonly eventId: string;
  readonly userId: string;
  readonly orderId: string | undefined;
  /** The reset that a mail is for which sets a new password: its link is put in as it is sent. */
  readonly resetId: string | undefined;
  /** The confirmation that a mail is about: its link is put in as it is sent. */
  readonly confirmationId: string | undefined;
  readonly kind: NotificationKind;
  readonly state: "QUEUED" | "SENT" | "FAILED";
  readonly recipient: Recipient;
  readonly content: Content;
  readonly messageId: string;
  readonly lastError: string;
  /** How often something that was down kept it from being sent, and how often it failed by itself. */
  readonly delays: number;
  readonly attempts: number;
  readonly resends: number;
  readonly createTime: Date;
  readonly sendTime: Date | undefined;
}

export interface Recipient {
  readonly name: string;
  readonly address: string;
}

/** What the mail says, twice. */
export interface Content {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export type NotificationKind =
  | "WELCOME"
  | "PASSWORD_RESET"
  | "PASSWORD_CHANGED"
  | "EMAIL_CONFIRMATION"
  | "EMAIL_CHANGED"
  | OrderNotificationKind;

export type OrderNotificationKind =
  | "ORDER_CONFIRMED"
  | "ORDER_REJECTED"
  | "ORDER_CANCELLED"
  | "ORDER_SHIPPED"
  | "ORDER_DELIVERED";

/** Which message an order's event calls for; undefined where people are not told. */
export function orderNotificationKind(kind: OrderEvent_Kind): OrderNotificationKind | undefined {
  switch (kind) {
    case OrderEvent_Kind.CONFIRMED:
      return "ORDER_CONFIRMED";
    case OrderEvent_Kind.REJECTED:
      return "ORDER_REJECTED";
    case OrderEvent_Kind.CANCELLED:
      return "ORDER_CANCELLED";
    case OrderEvent_Kind.SHIPPED:
      return "ORDER_SHIPPED";
    case OrderEvent_Kind.DELIVERED:
      return "ORDER_DELIVERED";
    case OrderEvent_Kind.KIND_UNSPECIFIED:
    case OrderEvent_Kind.PLACED:
    case OrderEvent_Kind.STOCK_RESERVED:
    case OrderEvent_Kind.CANCEL_REQUESTED:
    case OrderEvent_Kind.SHIP_REQUESTED:
    case OrderEvent_Kind.REFUNDED:
    case OrderEvent_Kind.ATTENTION_RAISED:
      return undefined;
  }
}

/**
 * The id of the one message that an event makes: a UUIDv7 with the event's own time, the rest a hash of its id. So whoever handles
 * the event a second time meets the first one's row.
 */
export function notificationIdOf(eventId: string): string {
  const time = eventId.replaceAll("-", "").slice(0, 12);
  const hash = createHash("sha256").update(`notification:${eventId}`).digest("hex");
  const variant = ((Number.parseInt(hash.charAt(0), 16) & 0x3) | 0x8).toString(16);
  return [
    time.slice(0, 8),
    time.slice(8),
    `7${hash.slice(1, 4)}`,
    `${variant}${hash.slice(4, 7)}`,
    hash.slice(7, 19),
  ].join("-");
}

/** The message that an event makes, ready to be queued. */
export function newNotification(
  o: Pick<Notification, "eventId" | "userId" | "orderId" | "kind" | "recipient" | "content" | "createTime"> & {
    readonly resetId?: string;
    readonly confirmationId?: string;
    /** Who the mail is from: the Message-ID is of the sender's host. */
    readonly sender: string;
  },
): Notification {
  const { sender, ...rest } = o;
  const id = notificationIdOf(o.eventId);
  const messageId = messageIdOf(id, sender);
  return {
    ...rest,
    resetId: o.resetId,
    confirmationId: o.confirmationId,
    id,
    state: "QUEUED",
    messageId,
    lastError: "",
    delays: 0,
    attempts: 0,
    resends: 0,
    sendTime: undefined,
  };
}

/** Made from the id, so that a mail that was sent twice around a crash is known as one. */
function messageIdOf(id: string, sender: string): string {
  const host = /@([^\s>@]+)>?\s*$/.exec(sender)?.[1] ?? "rialto.example";
  return `<${id}@${host}>`;
}
