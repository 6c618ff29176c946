import { createHmac } from "node:crypto";
import { limitKeyOf } from "@rialto/http";
import { CallError, reasonOf } from "@rialto/rpc";
import type { RateLimiter, RateLimits } from "@rialto/service";
import { errors } from "../errors.ts";

/** Failures for one account from one address: a forgotten password, or guessing. */
const pairFailuresMax = 10;
const pairWindowSeconds = 15 * 60;
/**
 * Failures for one account from all addresses: distributed guessing. High, because the limit locks the owner out as
 * well.
 */
const accountFailuresMax = 100;
/**
 * Failures from one address for all accounts: one password tried on many accounts. High, because an office may share an
 * address.
 */
const addressFailuresMax = 200;
const wideWindowSeconds = 60 * 60;
/**
 * Mails that one address can request for one account. Not per account alone, because a stranger could then keep its
 * owner from requesting one. Requests from many addresses lead to one mail in five minutes (reset-store.ts).
 */
const mailsMax = 3;
const mailWindowSeconds = 60 * 60;
/** New e-mail addresses that one account can enter: each is sent a mail. */
const addressChangesMax = 10;
/** Stands for the client address of a call that came from no client. */
const noAddress = "inside";

/**
 * Limits login attempts and mails. It does not know which accounts exist, so it cannot reveal it.
 *
 * Each is counted before it is made, so that concurrent ones count as well. One that an outage or a full queue ends is
 * given back: it says nothing about the password and leads to no mail, and whoever tries again until the outage is over
 * must not be locked out by it.
 */
export interface AttemptLimits {
  /**
   * Makes a login attempt. It stays counted if it fails with CREDENTIALS_INVALID; a success resets the failures of the
   * account from this address. Throws TOO_MANY_ATTEMPTS if too many have failed, and what `make` throws.
   */
  attempt<T>(email: string, address: string | undefined, make: () => Promise<T>): Promise<T>;
  /** Requests a reset mail to an account. Does nothing if the address has requested too many. */
  resetMail(email: string, address: string | undefined, request: () => Promise<void>): Promise<void>;
  /** Like `resetMail`, for mails that confirm an address. */
  confirmationMail(email: string, address: string | undefined, request: () => Promise<void>): Promise<void>;
  /**
   * Makes a change of an account, which calls `count` if it changes the e-mail address. `count` throws
   * TOO_MANY_ATTEMPTS if there were too many.
   */
  addressChange<T>(userId: string, make: (count: () => Promise<void>) => Promise<T>): Promise<T>;
}

export function createAttemptLimits(
  limits: RateLimits,
  key: string,
  isBackend: (address: string) => boolean = () => false,
): AttemptLimits {
  const limiter = (name: string, requests: number, windowSeconds: number) =>
    limits.limiter({ name: `login-${name}`, requests, windowSeconds });
  const pairs = limiter("pair", pairFailuresMax, pairWindowSeconds);
  const accounts = limiter("account", accountFailuresMax, wideWindowSeconds);
  const addresses = limiter("address", addressFailuresMax, wideWindowSeconds);
  const confirmations = limiter("confirmation-mail", mailsMax, mailWindowSeconds);
  const changes = limiter("address-change", addressChangesMax, wideWindowSeconds);
  const mails = limiter("reset-mail", mailsMax, mailWindowSeconds);
  // Counters may be stored in Redis, so e-mail addresses are replaced by a keyed hash.
  const accountOf = (email: string) => createHmac("sha256", key).update(email.toLowerCase()).digest("base64url");

  const mail = async (
    limiter: RateLimiter,
    email: string,
    address: string | undefined,
    request: () => Promise<void>,
  ) => {
    const key = `${accountOf(email)}:${limitKeyOf(address ?? noAddress)}`;
    if (!(await limiter.count(key)).isAllowed) return;
    await orElse(request, () => limiter.giveBack(key));
  };

  return {
    async attempt(email, clientAddress = noAddress, make) {
      const address = limitKeyOf(clientAddress);
      const account = accountOf(email);
      const pair = `${account}:${address}`;
      // An attempt that a narrower limit refuses does not count for a wider one, because continued attempts from one
      // address would otherwise lock everyone else out. A shop's own server is the address of all its customers, so
      // only the account is counted for it.
      const countsAddress = !isBackend(clientAddress);
      const ofAddress = countsAddress ? [() => pairs.count(pair), () => addresses.count(address)] : [];
      for (const count of [...ofAddress, () => accounts.count(account)]) {
        const { isAllowed, resetMs } = await count();
        if (!isAllowed) throw tooMany(resetMs);
      }
      const giveBack = (ofPair: () => Promise<void>) =>
        Promise.all([...(countsAddress ? [ofPair(), addresses.giveBack(address)] : []), accounts.giveBack(account)]);
      const made = await orElse(make, async (error) => {
        if (reasonOf(error) !== errors.CREDENTIALS_INVALID.reason) await giveBack(() => pairs.giveBack(pair));
      });
      await giveBack(() => pairs.forget(pair));
      return made;
    },
    resetMail: (email, address, request) => mail(mails, email, address, request),
    confirmationMail: (email, address, request) => mail(confirmations, email, address, request),
    async addressChange(userId, make) {
      let counted = 0;
      const count = async () => {
        const { isAllowed, resetMs } = await changes.count(userId);
        if (!isAllowed) throw tooMany(resetMs);
        counted += 1;
      };
      return await orElse(
        () => make(count),
        async () => {
          for (; counted > 0; counted -= 1) await changes.giveBack(userId);
        },
      );
    },
  };
}

/** Does the work. If it fails, undoes what was counted for it, and throws its error. */
async function orElse<T>(work: () => Promise<T>, undo: (error: unknown) => Promise<unknown>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await undo(error);
    throw error;
  }
}

function tooMany(resetMs: number) {
  return new CallError(errors.TOO_MANY_ATTEMPTS, { metadata: { retry_after_seconds: `${Math.ceil(resetMs / 1000)}` } });
}
