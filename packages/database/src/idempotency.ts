import type { Sql, Transaction } from "./connection/connection.ts";
import { KeyInUse, KeyReused } from "./connection/errors.ts";
import { codeOf } from "./connection/outage.ts";
import type { JsonValue } from "./json.ts";

/** A caller's name for one request, so that the request has one effect and one answer however often it is sent. */
export interface IdempotencyKey {
  /** The scope: whose key it is. */
  readonly caller: string;
  readonly method: string;
  readonly key: string;
  /** HMAC-SHA256 of the decoded request, in hex. It detects the same key with another request. */
  readonly fingerprint: string;
  /** As what the version before knows the same key. */
  readonly earlier?: EarlierKey | undefined;
}

/**
 * The key as version 0.1 has it, whose rows live for 48 h and whose replicas run beside ours in a roll-out. It is
 * looked up and locked under its scopes too, and kept under them unless a fingerprint is given, so that a request that
 * was answered by the one version is not done again by the other.
 */
export interface EarlierKey {
  readonly scopes: readonly string[];
  /**
   * The request's fingerprint there, given where the key is looked up and locked under the scopes and not kept: because
   * that fingerprint was made of a secret too and must not be stored any more, or because the scope was one for many
   * callers.
   */
  readonly fingerprint?: string | undefined;
}

/** Every scope that the key may have been stored under. */
export function scopesOf({ caller, earlier }: IdempotencyKey): readonly string[] {
  return [caller, ...(earlier?.scopes ?? [])];
}

/** The earlier scopes that the key is stored under as well. */
export function keptScopesOf({ earlier }: IdempotencyKey): readonly string[] {
  return earlier === undefined || earlier.fingerprint !== undefined ? [] : earlier.scopes;
}

/** Every fingerprint that says that the request is the same. */
export function fingerprintsOf({ fingerprint, earlier }: IdempotencyKey): readonly string[] {
  return earlier?.fingerprint === undefined ? [fingerprint] : [fingerprint, earlier.fingerprint];
}

/** How long a second request waits for the first: an answer in time is better than "try again". */
const keyWaitMsMax = 300;
const claimTriesMax = 5;

/** What a key's row says to a request. */
export interface Stored {
  readonly same: boolean;
  readonly answered: boolean;
  readonly response: JsonValue;
}

/**
 * Runs work in one short transaction, once per key, and stores its answer with it.
 *
 * The second request with a key gets the first one's answer; with another request than the first it is refused with
 * `KeyReused`, and while the first is at work (for longer than is worth waiting) with `KeyInUse`. Work that throws
 * stores nothing, so the key is free again. Without a key it is a plain transaction.
 */
export async function once<T extends JsonValue>(
  sql: Sql,
  key: IdempotencyKey | undefined,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  if (key === undefined) return (await sql.begin(work)) as T; // begin() unwraps arrays of promises; T holds none
  for (let tries = 0; tries < claimTriesMax; tries += 1) {
    const done = await sql
      .begin(async (tx) => {
        if (!(await claim(tx, key))) throw new KeyTaken();
        const answer = await work(tx);
        await store(tx, key, answer);
        return { answer };
      })
      .catch((error: unknown) => {
        // A claim that succeeded under one scope only is undone.
        if (error instanceof KeyTaken) return undefined;
        throw error;
      });
    if (done !== undefined) return done.answer as T; // the same value that work returned
    const stored = await look(sql, key);
    // Stored under the same fingerprint, so by the same method for the same request: its answer is a T.
    if (stored !== undefined) return answerOf(stored) as T;
    // The row that blocked the claim was removed before it could be read: the key is free.
  }
  throw new KeyInUse();
}

/**
 * Returns the stored answer of a key, to check before expensive work. Undefined where the key is new: the commit must
 * still claim it. Throws `KeyReused` and `KeyInUse` as `once` does.
 */
export async function replay(sql: Sql, key: IdempotencyKey | undefined): Promise<JsonValue | undefined> {
  if (key === undefined) return undefined;
  const stored = await look(sql, key);
  return stored === undefined ? undefined : answerOf(stored);
}

/**
 * Removes the oldest keys before that time, at most `rowsMax`, and returns how many. One without an answer stays: what
 * its work did outside is not known yet, and a repetition must not do it again.
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

/** Ends the transaction whose key has a row already. */
class KeyTaken extends Error {}

/**
 * Claims the key under all its scopes in this transaction; false where one of them has a row already, waited for if it
 * is not committed yet.
 */
async function claim(tx: Transaction, key: IdempotencyKey): Promise<boolean> {
  try {
    // They leave at once: the short wait is for the claim alone. Its own scope comes first, as in the group commit.
    const [, claimed, claimedEarlier] = await Promise.all([
      tx`select set_config('lock_timeout', ${String(keyWaitMsMax)}, true)`,
      insertKey(tx, key, [key.caller]),
      key.earlier === undefined ? [] : insertKey(tx, key, key.earlier.scopes),
      tx`set local lock_timeout to default`,
    ]);
    return claimed.length + claimedEarlier.length === scopesOf(key).length;
  } catch (cause) {
    throw codeOf(cause) === "55P03" ? new KeyInUse() : cause;
  }
}

function insertKey(tx: Transaction, { method, key, fingerprint }: IdempotencyKey, scopes: readonly string[]) {
  return tx`
    insert into idempotency (caller, method, key, fingerprint)
    select scope, ${method}, ${key}, decode(${fingerprint}, 'hex') from unnest(${scopes}::text[]) as scope order by scope
    on conflict (caller, method, key) do nothing returning 1`;
}

async function store(tx: Transaction, key: IdempotencyKey, answer: JsonValue): Promise<void> {
  const kept = [key.caller, ...keptScopesOf(key)];
  const locked = scopesOf(key).filter((scope) => !kept.includes(scope));
  await tx`
    update idempotency set response = ${JSON.stringify(answer)}::text::jsonb
    where caller = any (${kept}) and method = ${key.method} and key = ${key.key}`;
  if (locked.length > 0)
    await tx`delete from idempotency where caller = any (${locked}) and method = ${key.method} and key = ${key.key}`;
}

/** The key's row. Where two callers of the version before made two requests of it, the one of this request. */
async function look(sql: Sql | Transaction, key: IdempotencyKey): Promise<Stored | undefined> {
  const [row] = await sql<Stored[]>`
    select encode(fingerprint, 'hex') = any (${fingerprintsOf(key)}) as same, response is not null as answered, response
    from idempotency where caller = any (${scopesOf(key)}) and method = ${key.method} and key = ${key.key}
    order by same desc limit 1`;
  return row;
}

/** Returns the answer of a key's row. Throws as `once` does. */
export function answerOf(stored: Stored): JsonValue {
  if (!stored.same) throw new KeyReused();
  if (!stored.answered) throw new KeyInUse();
  return stored.response;
}
