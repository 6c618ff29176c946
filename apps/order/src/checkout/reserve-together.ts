import { raceSignal } from "@rialto/async";
import { type InventoryService, ProductErrorReason, type ReservationOutcome } from "@rialto/contracts";
import { createBatcher } from "@rialto/database";
import {
  backgroundContext,
  CallError,
  type Client,
  cancelSignalOf,
  isUnavailable,
  type PropagatedContext,
} from "@rialto/rpc";

/** The calls that reserve stock. */
export type ReserveCalls = Pick<Client<typeof InventoryService>, "reserveStock" | "batchReserveStock">;
type Request = Parameters<ReserveCalls["reserveStock"]>[0];

/** An order that waits for its reservation. */
interface Waiting {
  readonly request: Request;
  readonly context: PropagatedContext;
}

/** Reservations of one call: as many as the method takes. */
const reservationsMax = 64;
/** Two, so that a call that is slow does not hold up all others. */
const callsAtOnceMax = 2;
const waitingMax = 10_000;

/**
 * Returns a ReserveStock whose requests travel together with those that wait at the same moment, in one
 * BatchReserveStock. Each caller gets its own answer or refusal, and stops waiting at its own signal.
 *
 * An order is refused by an outcome with its id, and by nothing else. Where the call fails because something is down,
 * all outcomes are unknown: each caller gets that error, and asks again later. An order that the answer leaves out is
 * asked for alone, which has its own error if there is one; so are all where the call itself is refused, by a product
 * service that does not know the method yet or because one request breaks a rule. Reserving twice is reserving once.
 */
export function reserveTogether(stock: ReserveCalls): (request: Request, context: PropagatedContext) => Promise<void> {
  const batcher = createBatcher<Waiting, Outcome>({
    name: "reserve together",
    inFlightMax: callsAtOnceMax,
    // Fewer calls cost less than shorter ones.
    divides: false,
    batchMax: reservationsMax,
    queueMax: waitingMax,
    keysOf: () => [],
    send: (batch) => ask(stock, batch),
    onFailure: () => "fail",
  });
  return async (request, context) => {
    const signal = cancelSignalOf(context);
    const outcome = await raceSignal(batcher.add({ request, context }, { signal }), signal);
    if (outcome === "RESERVED") return;
    if (outcome !== "UNKNOWN") throw outcome.refusal;
    // Outside of the batch, whose other orders do not wait for it.
    await stock.reserveStock(request, context);
  };
}

/** What became of an order; unknown where it is to be asked for alone. */
type Outcome = "RESERVED" | "UNKNOWN" | { readonly refusal: CallError };

async function ask(stock: ReserveCalls, batch: readonly Waiting[]): Promise<readonly Outcome[]> {
  const [first] = batch;
  if (first !== undefined && batch.length === 1) {
    // Its failure is the batch's, which is its caller's alone.
    await stock.reserveStock(first.request, first.context);
    return ["RESERVED"];
  }
  const outcomes = await askTogether(stock, batch);
  return batch.map(({ request }) => {
    const outcome = outcomes.get(request.orderId ?? "");
    if (outcome === undefined) return "UNKNOWN";
    if (outcome.reserved) return "RESERVED";
    const refusal = refusalOf(outcome);
    return refusal === undefined ? "UNKNOWN" : { refusal };
  });
}

/** The outcomes that one call brings, by order. Throws where something is down. */
async function askTogether(
  stock: ReserveCalls,
  batch: readonly Waiting[],
): Promise<ReadonlyMap<string, ReservationOutcome>> {
  const reservations = batch.map(({ request, context }) => ({
    reservation: request,
    traceparent: context.traceparent,
  }));
  try {
    const { outcomes } = await stock.batchReserveStock({ reservations }, backgroundContext({}));
    return new Map(outcomes.map((outcome) => [outcome.orderId, outcome]));
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return new Map();
  }
}

/** The refusal of an order, as a call of its own would have given it; undefined where the outcome tells none. */
function refusalOf({ refusal }: ReservationOutcome): CallError | undefined {
  if (refusal === ProductErrorReason.PRODUCT_ERROR_REASON_UNSPECIFIED) return undefined;
  const reason = ProductErrorReason[refusal];
  if (reason === undefined) return undefined;
  return new CallError(
    { code: "failed_precondition", reason, message: "The reservation is refused." },
    { remote: true },
  );
}
