import type { MessageShape } from "@bufbuild/protobuf";
import { type CancelSignal, raceSignal } from "@rialto/async";
import type { OrderEventSchema } from "@rialto/contracts";
import type { InboxEntry } from "@rialto/database";
import { type Event, type Handled, jobLockMs } from "@rialto/events";
import { backgroundContext, cancelSignalOf, isUnavailable, type PropagatedContext, reasonOf } from "@rialto/rpc";
import { isAtRest, type Order, stateOf } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";
import { type Command, decide } from "../order/transitions.ts";
import type { CountCheckout } from "./checkout-metrics.ts";
import { runStep } from "./run-step.ts";
import { type CheckoutCalls, checkout, type Step, undoRefused } from "./steps.ts";

/** No order has so many transitions. More rounds mean that a decision changes nothing. */
const roundsMax = 30;

/**
 * How long a worker goes on with the next steps of an order. Then it leaves them to the event of its last commit, which
 * has a job of its own.
 */
const stepsMsMax = jobLockMs / 2;

/**
 * Orders that the events of one process advance at a time: more than a job has, so that what the orders of a job read,
 * reserve and commit travels together. Accepting takes the same processor, and so do the 64 calls that the gateway
 * forwards at a time: with half as many in hand, a burst on 256 connections let orders wait longer than is aimed at.
 */
const ordersInHandMax = 256;

/**
 * An order that takes longer waits for something else, mostly its card. It leaves its job and its slot to the orders of
 * others. So many events may wait beside them, up to two of an order: at 2 s for a card that does not answer, about 100
 * such orders in a second. Half a second is more than an order takes while 256 a second are confirmed with all slots
 * taken.
 */
const slow = { afterMs: 500, max: 512 };

/** The actor in the log of what the checkout decides. */
const actor = "service:order";

export interface CheckoutParts {
  readonly orders: Pick<OrderStore, "readToDecide" | "commit">;
  readonly calls: CheckoutCalls;
  readonly now: () => Date;
  /** Nothing is counted without it. */
  readonly count?: CountCheckout | undefined;
}

/**
 * Why an order is advanced: the call context of its calls, the event that the first commit consumes, and the version
 * of the order that this event made.
 */
export interface Cause {
  readonly context: PropagatedContext;
  readonly inbox?: InboxEntry | undefined;
  readonly version?: number | undefined;
}

export interface Checkout {
  /**
   * Runs the steps that are due until the order is at rest, or until they take long: the event of the last commit leads
   * on then. Throws where a step cannot go on for now: call it again later. Returns whether a commit wrote the inbox
   * row of its event.
   */
  advance(orderId: string, cause: Cause): Promise<Handled>;
}

/**
 * Creates the checkout. In a process one worker at a time advances an order: the events of its own steps arrive while
 * it still runs, and would only repeat them. Such an event waits, so that it is still there if the process dies, and
 * has nothing to do where the worker brought the order to rest at its version or a later one: each later version has an
 * event of its own. Between processes nothing is locked: the commit decides.
 */
export function createCheckout(parts: CheckoutParts): Checkout {
  const running = new Map<string, Promise<Advanced>>();
  return {
    async advance(orderId, cause) {
      for (let other = running.get(orderId); other !== undefined; other = running.get(orderId)) {
        const ended = await raceSignal(
          other.catch(() => undefined),
          cancelSignalOf(cause.context),
        );
        if (ended === undefined) continue;
        if (cause.inbox !== undefined && ended.consumed.has(cause.inbox.eventId)) return "INBOX_WRITTEN";
        const { order: left } = ended;
        if (cause.version !== undefined && isAtRest(left) && left.version >= cause.version) return undefined;
      }
      const mine = advance(parts, orderId, cause);
      running.set(orderId, mine);
      try {
        const { consumed } = await mine;
        return cause.inbox !== undefined && consumed.has(cause.inbox.eventId) ? "INBOX_WRITTEN" : undefined;
      } finally {
        running.delete(orderId);
      }
    },
  };
}

/** The topics after which the checkout has work. After all others an order is at rest. */
export const checkoutTopics = [
  "order.placed",
  "order.stock_reserved",
  "order.cancel_requested",
  "order.ship_requested",
] as const;

/** How the events of the subscription "checkout" are handled. */
export const checkoutOptions = { concurrencyMax: ordersInHandMax, slow } as const;

/** The handler of the subscription "checkout". */
export function advanceOnEvent({ checkout }: { readonly checkout: Checkout }) {
  return {
    handle(event: Event<MessageShape<typeof OrderEventSchema>>, inbox: InboxEntry, signal: CancelSignal) {
      const context = backgroundContext({ traceparent: event.traceparent, signal });
      return checkout.advance(event.subject, { context, inbox, version: event.version });
    },
  };
}

/** The order as a worker left it, and the events whose inbox rows its commits wrote. */
interface Advanced {
  readonly order: Order;
  readonly consumed: ReadonlySet<string>;
}

async function advance(parts: CheckoutParts, orderId: string, { context, inbox }: Cause): Promise<Advanced> {
  const signal = cancelSignalOf(context);
  const leaveTime = parts.now().getTime() + stepsMsMax;
  // Each commit consumes the event that led to it: the first one the cause, the next ones those of the commits before
  // them. Should this process die in between, the last committed change has an event that nobody has consumed.
  let consumes = inbox;
  const consumed = new Set<string>();
  // The order as this worker's own commit left it. Where a commit is lost or a step is overtaken, it is read again.
  let inHand: Order | undefined;
  for (let round = 0; round < roundsMax; round += 1) {
    if (signal.aborted) throw signal.reason;
    const order = inHand ?? (await parts.orders.readToDecide(orderId, { signal }));
    if (order === undefined) throw new Error(`order ${orderId} does not exist`);
    const takesLong = inHand !== undefined && parts.now().getTime() >= leaveTime;
    if (isAtRest(order) || takesLong) return { order, consumed };
    inHand = undefined;
    const command = await nextCommand(parts.calls, order, context).catch(async (error: unknown) => {
      if (await isOvertaken(parts, order, error, context)) return undefined;
      throw error;
    });
    if (command === undefined) continue;
    const decision = decide(order, command);
    if (decision.kind !== "EVENT")
      throw new Error(
        `order ${orderId}: ${command.kind} was decided as ${JSON.stringify(decision)} in ${stateOf(order)}`,
      );
    const outcome = await parts.orders.commit(
      {
        id: orderId,
        before: order,
        event: decision.event,
        time: parts.now(),
        actor,
        reason: "",
        traceparent: context.traceparent,
        inbox: consumes,
        wakes: isAtRest,
      },
      { signal },
    );
    if (outcome.kind !== "COMMITTED") continue;
    parts.count?.(order, outcome.after);
    if (consumes !== undefined) consumed.add(consumes.eventId);
    consumes = inbox && { ...inbox, eventId: outcome.eventId };
    inHand = outcome.after;
  }
  throw new Error(`order ${orderId} is not at rest after ${roundsMax} rounds`);
}

/** Runs the step that is due and returns the command to decide. */
async function nextCommand(calls: CheckoutCalls, order: Order, context: PropagatedContext): Promise<Command> {
  const state = stateOf(order);
  if (state === "CANCELLING") return compensate(checkout, { kind: "cancelled" }, calls, order, context);
  for (const [index, step] of checkout.entries()) {
    if (step.at !== state) continue;
    const command = await runStep(step.name, step.run, calls, order, context).catch((error: unknown) => {
      const decided = step.onRefused(reasonOf(error) ?? "", order);
      if (decided === undefined) throw error;
      return decided;
    });
    if (command?.kind === "reject") return compensate(checkout.slice(0, index), command, calls, order, context);
    if (command !== undefined) return command;
  }
  throw new Error(`order ${order.id}: nothing is due in ${state}`);
}

/**
 * Undoes the steps, the last one first, and returns `command`, or the command of an undo that is refused permanently.
 */
async function compensate(
  steps: readonly Step[],
  command: Command,
  calls: CheckoutCalls,
  order: Order,
  context: PropagatedContext,
): Promise<Command> {
  for (const step of steps.toReversed()) {
    try {
      if (step.undo !== undefined) await runStep(`undo ${step.name}`, step.undo, calls, order, context);
    } catch (error) {
      const decided = undoRefused(reasonOf(error) ?? "");
      if (decided === undefined) throw error;
      return decided;
    }
  }
  return command;
}

/**
 * Whether a step failed because the order has changed since it was read. An outage is one whatever the order's state.
 */
async function isOvertaken(
  parts: CheckoutParts,
  order: Order,
  error: unknown,
  context: PropagatedContext,
): Promise<boolean> {
  if (isUnavailable(error)) return false;
  const fresh = await parts.orders.readToDecide(order.id, { signal: cancelSignalOf(context) });
  return fresh !== undefined && fresh.version !== order.version;
}
