import type { Evidence } from "../evidence.ts";
import type { Fault } from "../fault-log.ts";
import type { Check, Violation } from "./check.ts";

/** A fault that ended earlier than this before the first copy does not explain a second one. */
const slackMs = 1_000;

/** The events that a mail is sent for. An independent list, so that the checker does not rely on the service's own. */
const mailedEvents: ReadonlySet<string> = new Set(["CONFIRMED", "REJECTED", "CANCELLED", "SHIPPED", "DELIVERED"]);

/**
 * Each notification that the history requires was sent once. A second copy has the same Message-ID, and there are no
 * more copies than faults that overlapped the sending.
 */
export const mailsSentOnce: Check = (evidence) => {
  const { notifications, mails, orders } = evidence;
  const violations: Violation[] = [];
  const wanted = wantedMails(evidence);
  const byEvent = Map.groupBy(notifications, (row) => row.event_id);
  for (const [event, { order, kind }] of wanted) {
    const rows = byEvent.get(event) ?? [];
    if (rows.length !== 1)
      violations.push({ order, message: `${kind} needs one notification, and there are ${rows.length}` });
  }
  for (const { event_id, order_id, kind, state } of notifications) {
    const order = order_id ?? undefined;
    if (wanted.get(event_id)?.kind !== kind)
      violations.push({ order, message: `${kind} is a notification without an event` });
    if (state !== "SENT") violations.push({ order, message: `its notification ${kind} is ${state}` });
    if (order !== undefined && !orders.has(order))
      violations.push({ order, message: `${kind} is about an order that does not exist` });
  }
  const copies = Map.groupBy(mails, ({ messageId }) => messageId);
  let extra = 0;
  for (const { message_id, order_id, kind, recipient_address } of notifications) {
    const order = order_id ?? undefined;
    const sent = (copies.get(message_id) ?? []).toSorted((a, b) => a.at - b.at);
    const [first] = sent;
    const last = sent.at(-1);
    if (first === undefined || last === undefined) {
      violations.push({ order, message: `the mail server never received its ${kind}` });
      continue;
    }
    if (sent.some(({ to }) => to !== recipient_address))
      violations.push({ order, message: `its ${kind} went to another address` });
    extra += sent.length - 1;
    const allowed = evidence.faults.filter((fault) => touchesMail(fault) && overlaps(fault, first.at, last.at)).length;
    if (sent.length - 1 > allowed)
      violations.push({
        order,
        message: `its ${kind} was sent ${sent.length} times, and ${allowed} faults overlap that`,
      });
  }
  const known = new Set(notifications.map((row) => row.message_id));
  for (const messageId of copies.keys())
    if (!known.has(messageId)) violations.push({ message: `the mail ${messageId} belongs to no notification` });
  return {
    name: "mail",
    figures: `${wanted.size} expected, ${mails.length} received, ${extra} of them second copies`,
    violations,
  };
};

function wantedMails({ orderEvents, published, inbox }: Evidence) {
  const wanted = new Map<string, { readonly order: string | undefined; readonly kind: string }>();
  for (const events of orderEvents.values())
    for (const { id, type, subject_id } of events)
      if (mailedEvents.has(type)) wanted.set(id, { order: subject_id, kind: `ORDER_${type}` });
  const welcomed = (id: string) => inbox.get("welcome-mail")?.has(id) === true;
  for (const { id, topic, early } of published)
    if (topic === "user.created" && (!early || welcomed(id))) wanted.set(id, { order: undefined, kind: "WELCOME" });
  return wanted;
}

function touchesMail({ touches }: Fault): boolean {
  const [one, other] = touches;
  if (other === undefined) return one === "postgres" || one?.startsWith("notification-") === true;
  return one?.startsWith("notification-") === true && (other === "postgres" || other === "mail");
}

function overlaps({ from, to }: Fault, firstAt: number, lastAt: number): boolean {
  return from <= lastAt && (to ?? Number.POSITIVE_INFINITY) >= firstAt - slackMs;
}
