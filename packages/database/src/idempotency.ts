import type { Sql, Transaction } from "./connection.ts";
import { KeyInUse, KeyReused } from "./errors.ts";
import type { JsonValue } from "./json.ts";
import { codeOf } from "./outage.ts";

/** What a caller named one request by, so that the request has one effect and one answer however often it is sent. */
export interface IdempotencyKey {
  readonly caller: string;
  readonly method: string;
  readonly key: string;
  /** HMAC-SHA256 of the decoded request, in hex: the same key with another request is told by it. */
  readonly fingerprint: string;
}

/** How long a second request waits for the first: an answer in time is better than "try again". */
const keyWaitMsMax = 300;
const claimTriesMax = 5;

interface Stored {
  readonly same: boolean;
  readonly answered: boolean;
  readonly response: JsonValue;
}

/**
 * Does work in one short transaction, once per key, and stores its answer with it.
 *
 * The second request with a key gets the first one's answer; with another request than the first it is refused with `KeyReused`,
 * and while the first is at work (for longer than is worth waiting) with `KeyInUse`. Work that throws stores nothing, so the
 * key is free again. Without a key it is a plain transaction.
 */
export async function once<T extends JsonValue>(
  sql: Sql,
  key: IdempotencyKey | undefined,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  if (key === undefined) return (await sql.begin(work)) as T; // begin() unwraps arrays of promises; T holds none
  for (let tries = 0; tries < claimTriesMax; tries += 1) {
    const done = await sql.begin(async (tx) => {
      if (!(await claim(tx, key))) return { stored: await look(tx, key) };
      const answer = await work(tx);
      await tx`update idempotency set response = ${JSON.stringify(answer)}::text::jsonb
        where caller = ${key.caller} and method = ${key.method} and key = ${key.key}`;
      return { answer };
    });
    if ("answer" in done) return done.answer as T; // the same value that work returned
    const { stored } = done;
    // Stored under the same fingerprint, so by the same method for the same request: its answer is a T.
    if (stored !== undefined) return answerOf(stored) as T;
    // The row that stood in our way was removed before we could read it: the key is free.
  }
  throw new KeyInUse();
}

/**
 * The stored answer of a key, for a look before expensive work. Undefined where the key is new, so the commit must still claim
 * it; `KeyReused` and `KeyInUse` as `once`.
 */
export async function replay(sql: Sql, key: IdempotencyKey | undefined): Promise<JsonValue | undefined> {
  if (key === undefined) return undefined;
  const stored = await look(sql, key);
  return stored === undefined ? undefined : answerOf(stored);
}

/**
 * Removes the oldest keys that are older than that, at most `rowsMax` of them; answers how many. One without an answer stays: what its
 * work did outside is not known yet, and a repetition must not do it again.
 */
export async function forgetIdempotencyKeys(
  sql: Sql,
  o: { readonly olderThanMs: number; readonly rowsMax: number },
): Promise<number> {
  const forgotten = await sql`
    delete from idempotency where (caller, method, key) in (
      select caller, method, key from idempotency
      where response is not null and create_time < now() - ${o.olderThanMs} * interval '1 millisecond'
      order by create_time limit ${o.rowsMax} for update skip locked)`;
  return forgotten.count;
}

/** Claims the key in this transaction; false where it has a row already, waited for if it is not committed yet. */
async function claim(tx: Transaction, key: IdempotencyKey): Promise<boolean> {
  try {
    // All three leave at once: the short wait is for the claim alone.
    const [, claimed] = await Promise.all([
      tx`select set_config('lock_timeout', ${String(keyWaitMsMax)}, true)`,
      tx`insert into idempotency (caller, method, key, fingerprint)
        values (${key.caller}, ${key.method}, ${key.key}, decode(${key.fingerprint}, 'hex'))
        on conflict (caller, method, key) do nothing returning 1`,
      tx`set local lock_timeout to default`,
    ]);
    return claimed.length === 1;
  } catch (cause) {
    throw codeOf(cause) === "55P03" ? new KeyInUse() : cause;
  }
}

async function look(sql: Sql | Transaction, key: IdempotencyKey): Promise<Stored | undefined> {
  const [row] = await sql<Stored[]>`
    select fingerprint = decode(${key.fingerprint}, 'hex') as same, response is not null as answered, response
    from idempotency where caller = ${key.caller} and method = ${key.method} and key = ${key.key}`;
  return row;
}

function answerOf(stored: Stored): JsonValue {
  if (!stored.same) throw new KeyReused();
  if (!stored.answered) throw new KeyInUse();
  return stored.response;
}
