import { randomUUID } from "node:crypto";
import { createWriter, type Sql, type Transaction, type Writer } from "@rialto/database";
import { type TestCard, testCardOf } from "./test-tokens.ts";

/**
 * The simulated card network behind the provider. It keeps a ledger in its own schema and has its own rules: one effect
 * for each key, one capture for each authorization, no refund beyond the captured amount, nothing for an authorization
 * that was voided, even where the void came first. It does not rely on the payment service to check any of that.
 *
 * The row of the authorization is the lock for all requests about that authorization.
 */
export interface CardNetwork {
  /** Has the effect, or finds that it happened before. */
  request(request: NetworkRequest): Promise<NetworkAnswer>;
  find(key: string): Promise<NetworkEntry | undefined>;
}

export interface NetworkRequest {
  readonly kind: "AUTHORIZE" | "CAPTURE" | "VOID" | "REFUND";
  readonly key: string;
  readonly authorizationKey: string;
  readonly orderReference: string;
  readonly amount: bigint;
  readonly currency: string;
  /** Only an authorization names the card. */
  readonly paymentMethod: string | undefined;
}

export interface NetworkEntry {
  readonly key: string;
  readonly outcome: "APPROVED" | "DECLINED";
  readonly code: string | null;
  readonly reference: string;
  readonly answerTime: Date;
}

export type NetworkAnswer =
  | { readonly kind: "UNREACHABLE" }
  /** `first`: this request had the effect. `card` is how the card behaves. */
  | { readonly kind: "ENTRY"; readonly entry: NetworkEntry; readonly first: boolean; readonly card: TestCard };

interface AuthorizationRow {
  readonly payment_method: string;
  readonly outcome: "APPROVED" | "DECLINED";
  readonly amount: bigint;
}

/** The code that a void stores with the key of an authorization that never came. */
const voidedCode = "authorization_voided";

/** Opens the network on its own database. Authorizations that arrive at the same moment are one statement there. */
export function createCardNetwork(sql: Sql): CardNetwork {
  const authorizations = createWriter<NewEntry, NetworkAnswer>({
    keyOf: ({ request }) => request.key,
    send: (entries) => write(sql, entries),
  });
  return {
    request: (request) =>
      request.kind === "AUTHORIZE" ? authorize(sql, authorizations, request) : sql.begin((tx) => followUp(tx, request)),
    find: (key) => read(sql, key),
  };
}

/** Needs no transaction: the unique key decides which request was first. */
async function authorize(
  sql: Sql,
  authorizations: Writer<NewEntry, NetworkAnswer>,
  request: NetworkRequest,
): Promise<NetworkAnswer> {
  const paymentMethod = request.paymentMethod ?? "";
  const card = testCardOf(paymentMethod);
  if (card.unreachableTimes !== undefined) {
    const known = await read(sql, request.key);
    if (known !== undefined) return { kind: "ENTRY", entry: known, first: false, card };
    if (await isUnreachable(sql, request.key, card)) return { kind: "UNREACHABLE" };
  }
  return authorizations.write({ request, paymentMethod, card, code: card.declineCode });
}

async function followUp(tx: Transaction, request: NetworkRequest): Promise<NetworkAnswer> {
  const authorization = await lockAuthorization(tx, request);
  const card = testCardOf(authorization.payment_method);
  const known = await read(tx, request.key);
  if (known !== undefined) return { kind: "ENTRY", entry: known, first: false, card };
  if (await isUnreachable(tx, request.key, card)) return { kind: "UNREACHABLE" };
  const code = await codeOf(tx, request, authorization, card);
  const [answer] = await write(tx, [{ request, paymentMethod: authorization.payment_method, card, code }]);
  if (answer === undefined) throw new Error(`the request ${request.key} was not answered`);
  return answer;
}

/** An effect that the network is asked for, and how it decided. */
interface NewEntry {
  readonly request: NetworkRequest;
  readonly paymentMethod: string;
  readonly card: TestCard;
  /** Why it is declined; undefined where it is approved. */
  readonly code: string | undefined;
}

/** Writes entries. One whose key has an entry already is answered with that. */
async function write(sql: Sql | Transaction, entries: readonly NewEntry[]): Promise<readonly NetworkAnswer[]> {
  const rows = entries.map(({ request, paymentMethod, card, code }) => ({
    key: request.key,
    kind: request.kind,
    authorization_key: request.authorizationKey,
    order_reference: request.orderReference,
    amount: String(request.amount),
    currency: request.currency,
    payment_method: paymentMethod,
    outcome: code === undefined ? "APPROVED" : "DECLINED",
    code: code ?? null,
    reference: `cn_${randomUUID()}`,
    delay_ms: card.answerDelayMs ?? 0,
  }));
  const written = await sql<EntryRow[]>`
    insert into entry (key, kind, authorization_key, order_reference, amount, currency, payment_method, outcome, code, reference, answer_time)
    select key, kind, authorization_key, order_reference, amount, currency, payment_method, outcome, code, reference,
      now() + delay_ms * interval '1 millisecond'
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      as e (key text, kind text, authorization_key text, order_reference text, amount bigint, currency text,
        payment_method text, outcome text, code text, reference text, delay_ms float8)
    order by key
    on conflict (key) do nothing
    returning key, outcome, code, reference, answer_time`;
  const byReference = new Map(written.map((row) => [row.reference, entryOf(row)]));
  return Promise.all(
    entries.map(async ({ request, card }, n) => {
      const own = byReference.get(rows[n]?.reference ?? "");
      if (own !== undefined) return { kind: "ENTRY", entry: own, first: true, card };
      // The first request with this key, or the void of this authorization, was faster.
      const other = await read(sql, request.key);
      if (other === undefined) throw new Error(`the entry ${request.key} was there and is gone`);
      return { kind: "ENTRY", entry: other, first: false, card };
    }),
  );
}

async function read(sql: Sql | Transaction, key: string): Promise<NetworkEntry | undefined> {
  const [row] = await sql<EntryRow[]>`select key, outcome, code, reference, answer_time from entry where key = ${key}`;
  return row && entryOf(row);
}

/**
 * Locks the authorization. A void that finds none writes one that is refused already, so that it can never come later.
 */
async function lockAuthorization(tx: Transaction, request: NetworkRequest): Promise<AuthorizationRow> {
  if (request.kind === "VOID") {
    await tx`
      insert into entry (key, kind, authorization_key, order_reference, amount, currency, payment_method, outcome, code, reference, answer_time)
      values (${request.authorizationKey}, 'AUTHORIZE', ${request.authorizationKey}, ${request.orderReference}, 0, ${request.currency}, '',
              'DECLINED', ${voidedCode}, ${`cn_${randomUUID()}`}, now())
      on conflict (key) do nothing`;
  }
  const [row] = await tx<AuthorizationRow[]>`
    select payment_method, outcome, amount from entry where key = ${request.authorizationKey} for update`;
  return row ?? { payment_method: "", outcome: "DECLINED", amount: 0n };
}

/** Why the network refuses a request about an authorization; undefined where it does not. */
async function codeOf(
  tx: Transaction,
  request: NetworkRequest,
  authorization: AuthorizationRow,
  card: TestCard,
): Promise<string | undefined> {
  const [sums] = await tx<{ captured: bigint; refunded: bigint; voided: boolean }[]>`
    select coalesce(sum(amount) filter (where kind = 'CAPTURE'), 0)::bigint as captured,
           coalesce(sum(amount) filter (where kind = 'REFUND'), 0)::bigint as refunded,
           coalesce(bool_or(kind = 'VOID'), false) as voided
    from entry where authorization_key = ${request.authorizationKey} and kind <> 'AUTHORIZE' and outcome = 'APPROVED'`;
  const captured = sums?.captured ?? 0n;
  const refunded = sums?.refunded ?? 0n;
  switch (request.kind) {
    case "AUTHORIZE":
      return card.declineCode;
    case "VOID":
      return captured > 0n ? "already_captured" : undefined;
    case "CAPTURE":
      if (authorization.outcome === "DECLINED") return "no_authorization";
      if (sums?.voided) return voidedCode;
      if (captured > 0n) return "already_captured";
      if (request.amount > authorization.amount) return "amount_too_large";
      return card.captureCode;
    case "REFUND":
      return refunded + request.amount > captured ? "amount_too_large" : undefined;
  }
}

/** Counts a request to a card that is unreachable at first. The count is committed: it outlives this process. */
async function isUnreachable(sql: Sql | Transaction, key: string, card: TestCard): Promise<boolean> {
  if (card.unreachableTimes === undefined) return false;
  const [row] = await sql<{ count: number }[]>`
    insert into failure (key, count) values (${key}, 1)
    on conflict (key) do update set count = failure.count + 1 returning count`;
  return (row?.count ?? 0) <= card.unreachableTimes;
}

interface EntryRow {
  readonly key: string;
  readonly outcome: "APPROVED" | "DECLINED";
  readonly code: string | null;
  readonly reference: string;
  readonly answer_time: Date;
}

function entryOf(row: EntryRow): NetworkEntry {
  const { key, outcome, code, reference } = row;
  return { key, outcome, code, reference, answerTime: row.answer_time };
}
