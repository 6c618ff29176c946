import type { Evidence } from "./evidence.ts";

const logLinesMax = 80;

/**
 * Everything known about one order, by time: events, jobs, payments, the ledger, mails, and log lines of its traces.
 */
export function orderReport(evidence: Evidence, order: string): string {
  const row = evidence.orders.get(order);
  const payment = evidence.payments.find(({ order_id }) => order_id === order);
  const events = evidence.orderEvents.get(order) ?? [];
  const paymentEvents = payment === undefined ? [] : (evidence.paymentEvents.get(payment.id) ?? []);
  const dated: { readonly at: Date; readonly message: string }[] = [];
  for (const { time, version, type, payload, actor, id } of events)
    dated.push({
      at: time,
      message: `order   ${version} ${type} ${json(type === "PLACED" ? {} : payload)} by ${actor} (event ${id}${effectsOf(evidence, id)})`,
    });
  for (const { time, version, type, payload, actor } of paymentEvents)
    dated.push({ at: time, message: `payment ${version} ${type} ${json(payload)} by ${actor}` });
  for (const { create_time, kind, outcome, code, amount, key } of evidence.ledger.get(order) ?? [])
    dated.push({ at: create_time, message: `network ${kind} ${outcome} ${code ?? ""} ${amount} under ${key}` });
  for (const { message_id, kind } of evidence.notifications.filter((n) => n.order_id === order))
    for (const { at } of evidence.mails.filter((mail) => mail.messageId === message_id))
      dated.push({ at: new Date(at), message: `mail    ${kind} ${message_id}` });
  const from = Math.min(...dated.map(({ at }) => +at));
  const to = Math.max(...dated.map(({ at }) => +at));
  for (const fault of evidence.faults)
    if (fault.from <= to + 30_000 && (fault.to ?? Number.POSITIVE_INFINITY) >= from - 5_000)
      dated.push({
        at: new Date(fault.from),
        message: `fault   ${fault.kind} ${fault.touches.join(" -> ")} until ${clock(new Date(fault.to ?? to))}`,
      });
  dated.sort((a, b) => +a.at - +b.at);
  const reservation = evidence.reservations.get(order);
  const pending = evidence.pending.filter(({ subject }) => subject === order || subject === payment?.id);
  return [
    `Order ${order}`,
    `  row          ${row === undefined ? "none" : json(row)}`,
    `  client       ${json(evidence.record.orders.get(order) ?? "nothing")}`,
    `  reservation  ${json(reservation ?? "none")}`,
    `  payment      ${json(payment ?? "none")}`,
    ...pending.map((one) => `  waiting      ${json(one)}`),
    ...dated.map(({ at, message }) => `  ${clock(at)} ${message}`),
    ...logLines(
      evidence,
      order,
      [...events, ...paymentEvents].map(({ traceparent }) => traceparent.split("-")[1] ?? ""),
    ),
  ].join("\n");
}

function effectsOf({ inbox }: Evidence, id: string): string {
  const had = [...inbox].filter(([, ids]) => ids.has(id)).map(([name]) => name);
  return had.length === 0 ? ", no effect yet" : `, had its effect in ${had.join(", ")}`;
}

function logLines(evidence: Evidence, order: string, traces: readonly string[]): string[] {
  const wanted = [order, ...new Set(traces.filter((trace) => trace.length === 32))];
  const lines: { readonly time: string; readonly message: string }[] = [];
  for (const [name, log] of evidence.logs())
    for (const line of log.split("\n"))
      if (wanted.some((word) => line.includes(word)))
        lines.push({ time: /"time":"?([^",]+)/.exec(line)?.[1] ?? "", message: `${name}: ${line}` });
  lines.sort((a, b) => (a.time < b.time ? -1 : 1));
  const shown = lines.slice(0, logLinesMax).map(({ message }) => `  log ${message}`);
  return lines.length > logLinesMax ? [...shown, `  ... ${lines.length - logLinesMax} more lines`] : shown;
}

function clock(at: Date): string {
  return at.toISOString().slice(11, 23);
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part));
}
