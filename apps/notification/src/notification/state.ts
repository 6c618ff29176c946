import { createHash } from "node:crypto";
import { OrderEvent_Kind } from "@rialto/contracts";

/**
 * One message to a person.
 *
 *     (event) --> QUEUED --accepted by the mail server--> SENT --+
 *                   ^  \--rejected, or out of attempts--> FAILED --+
 *                   +-----------------resend-------------------+--+
 */
export interface Notification {
  readonly id: string;
  readonly eventId: string;
  readonly userId: string;
  readonly orderId: string | undefined;
  /** The password reset of a mail whose link is added when it is sent. */
  readonly resetId: string | undefined;
  /** The e-mail confirmation of a mail whose link is added when it is sent. */
  readonly confirmationId: string | undefined;
  readonly kind: NotificationKind;
  readonly state: "QUEUED" | "SENT" | "FAILED";
  readonly recipient: Recipient;
  readonly content: Content;
  readonly messageId: string;
  readonly lastError: string;
  /** Counts the tries that failed during an outage, and the attempts that failed without one. */
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

/** The subject, and the body as plain text and as HTML. */
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

/** Returns the kind of mail for an order event; undefined if the customer gets none. */
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
 * Derives the id of the message from the id of its event: a UUIDv7 with the event's time, and a hash of the event's id
 * as the rest. A redelivered event finds the existing row by it.
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

/** Creates the message for an event, ready to be queued. */
export function newNotification(
  o: Pick<Notification, "eventId" | "userId" | "orderId" | "kind" | "recipient" | "content" | "createTime"> & {
    readonly resetId?: string;
    readonly confirmationId?: string;
    /** The From address. Its host is the right side of the Message-ID. */
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

/** Derived from the id, so that a mail that was sent twice because of a crash has the same Message-ID. */
function messageIdOf(id: string, sender: string): string {
  const host = /@([^\s>@]+)>?\s*$/.exec(sender)?.[1] ?? "rialto.example";
  return `<${id}@${host}>`;
}
