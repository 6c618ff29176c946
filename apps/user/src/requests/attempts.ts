import { createHmac } from "node:crypto";
import { limitKeyOf } from "@rialto/http";
import { refuse } from "@rialto/rpc";
import type { RateLimits } from "@rialto/service";
import { errors } from "../errors.ts";

/** Failures for one account from one address: somebody has forgotten a password, or guesses. */
const pairFailuresMax = 10;
const pairWindowSeconds = 15 * 60;
/** Failures for one account from everywhere: somebody guesses with many machines. High, because its owner is kept out too. */
const accountFailuresMax = 100;
/** Failures from one address for all accounts: somebody tries one password on many. High, because a whole office may share it. */
const addressFailuresMax = 200;
const wideWindowSeconds = 60 * 60;
/**
 * Mails that one address may ask for, for one account. Not for the account alone: a stranger who asks would keep its owner from asking. What many
 * addresses ask for comes to one mail in five minutes (reset-store.ts).
 */
const resetMailsMax = 3;
const resetWindowSeconds = 60 * 60;
/** New addresses that one account may name: each is sent a mail. */
const addressChangesMax = 10;

/** Slows down who guesses passwords. It knows nothing of which accounts exist, so it cannot tell. */
export interface Attempts {
  /**
   * Counts an attempt before it is made, so that many at once are counted too; refused with TOO_MANY_ATTEMPTS where too many have failed.
   * Whoever makes it says how it ended: a success does not count.
   */
  begin(email: string, address: string | undefined): Promise<{ succeeded(): Promise<void> }>;
  /** Counts a request for a mail to an account; false where the address that asks has asked often enough. */
  mayMail(email: string, address: string | undefined): Promise<boolean>;
  /** The same for mails that confirm an address. */
  mayConfirm(email: string, address: string | undefined): Promise<boolean>;
  /** Counts a new address of an account; refused with TOO_MANY_ATTEMPTS where it has named enough. */
  changeAddress(userId: string): Promise<void>;
}

export function createAttempts(
  limits: RateLimits,
  key: string,
  isBackend: (address: string) => boolean = () => false,
): Attempts {
  const limiter = (name: string, requests: number, windowSeconds: number) =>
    limits.limiter({ name: `login-${name}`, requests, windowSeconds });
  const pairs = limiter("pair", pairFailuresMax, pairWindowSeconds);
  const accounts = limiter("account", accountFailuresMax, wideWindowSeconds);
  const addresses = limiter("address", addressFailuresMax, wideWindowSeconds);
  const confirmations = limiter("confirmation-mail", resetMailsMax, resetWindowSeconds);
  const changes = limiter("address-change", addressChangesMax, wideWindowSeconds);
  const mails = limiter("reset-mail", resetMailsMax, resetWindowSeconds);
  // What is counted by an address of a person is kept elsewhere: by a hash that says nothing of it.
  const accountOf = (email: string) => createHmac("sha256", key).update(email.toLowerCase()).digest("base64url");

  return {
    async begin(email, clientAddress = "inside") {
      const address = limitKeyOf(clientAddress);
      const account = accountOf(email);
      const pair = `${account}:${address}`;
      // What a narrower limit refuses does not count for a wider one: who goes on from one address would keep everybody else out.
      // A shop's own server is the address of all its customers: there the account alone is counted.
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
    async mayConfirm(email, clientAddress = "inside") {
      return (await confirmations.count(`${accountOf(email)}:${limitKeyOf(clientAddress)}`)).isAllowed;
    },
    async changeAddress(userId) {
      const { isAllowed, resetMs } = await changes.count(userId);
      if (!isAllowed) throw tooMany(resetMs);
    },
    async mayMail(email, clientAddress = "inside") {
      return (await mails.count(`${accountOf(email)}:${limitKeyOf(clientAddress)}`)).isAllowed;
    },
  };
}

function tooMany(resetMs: number) {
  return refuse(errors.TOO_MANY_ATTEMPTS, { metadata: { retry_after_seconds: `${Math.ceil(resetMs / 1000)}` } });
}
