import { createHmac } from "node:crypto";
import { limitKeyOf } from "@rialto/http";
import { CallError } from "@rialto/rpc";
import type { RateLimits } from "@rialto/service";
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

/** Limits login attempts and mails. It does not know which accounts exist, so it cannot reveal it. */
export interface AttemptLimits {
  /**
   * Counts an attempt before it is made, so that concurrent attempts count as well. Throws TOO_MANY_ATTEMPTS if too
   * many have failed. The caller reports a success, which then does not count.
   */
  begin(email: string, address: string | undefined): Promise<{ succeeded(): Promise<void> }>;
  /** Counts a request for a reset mail to an account. Returns false if the address has requested too many. */
  allowResetMail(email: string, address: string | undefined): Promise<boolean>;
  /** Like `allowResetMail`, for mails that confirm an address. */
  allowConfirmationMail(email: string, address: string | undefined): Promise<boolean>;
  /** Counts a change of an account's e-mail address. Throws TOO_MANY_ATTEMPTS if there were too many. */
  countAddressChange(userId: string): Promise<void>;
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

  return {
    async begin(email, clientAddress = "inside") {
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
        if (isAllowed) continue;
        throw tooMany(resetMs);
      }
      return {
        async succeeded() {
          const back = countsAddress ? [pairs.forget(pair), addresses.giveBack(address)] : [];
          await Promise.all([...back, accounts.giveBack(account)]);
        },
      };
    },
    async allowConfirmationMail(email, clientAddress = "inside") {
      return (await confirmations.count(`${accountOf(email)}:${limitKeyOf(clientAddress)}`)).isAllowed;
    },
    async countAddressChange(userId) {
      const { isAllowed, resetMs } = await changes.count(userId);
      if (!isAllowed) throw tooMany(resetMs);
    },
    async allowResetMail(email, clientAddress = "inside") {
      return (await mails.count(`${accountOf(email)}:${limitKeyOf(clientAddress)}`)).isAllowed;
    },
  };
}

function tooMany(resetMs: number) {
  return new CallError(errors.TOO_MANY_ATTEMPTS, { metadata: { retry_after_seconds: `${Math.ceil(resetMs / 1000)}` } });
}
