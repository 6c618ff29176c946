import { randomBytes } from "node:crypto";
import { hash, verify } from "@node-rs/argon2";
import type { Config } from "@rialto/service";
import { createHashingQueue, type HashingCaller, type HashingKind } from "./hashing-queue.ts";

/**
 * How many hashes are at work at once. Each holds one of libuv's four threads for some 30 ms: the other two are left to DNS and files,
 * which logins would starve otherwise.
 */
const hashesAtOnceMax = 2;

/** argon2id, by OWASP's first choice for small machines; for tests, as cheap as it goes. */
const costs = {
  default: { memoryCost: 19_456, timeCost: 2, parallelism: 1 },
  test: { memoryCost: 64, timeCost: 1, parallelism: 1 },
} as const;

export interface Passwords {
  hash(password: string, kind: HashingKind, caller: HashingCaller): Promise<string>;
  /** Compares a password with a hash, or with a decoy where there is no account: the same work, and never right. */
  verify(password: string, against: string | undefined, kind: HashingKind, caller: HashingCaller): Promise<boolean>;
}

/** Makes the one place that hashes passwords and compares them. Each kind of work waits in a queue of its own, so that no number of one keeps the others waiting. */
export async function createPasswords({ argon2Cost }: Pick<Config, "argon2Cost">): Promise<Passwords> {
  const cost = costs[argon2Cost];
  const queue = createHashingQueue({ workersMax: hashesAtOnceMax });
  const decoy = await hash(randomBytes(32), cost);
  return {
    hash: (password, kind, caller) => queue.run(kind, caller, () => hash(normalized(password), cost)),
    async verify(password, against, kind, caller) {
      const matches = await queue.run(kind, caller, () => verify(against ?? decoy, normalized(password)));
      return matches && against !== undefined;
    },
  };
}

/** Keyboards write one letter in more than one way; it is one password. */
function normalized(password: string): string {
  return password.normalize("NFKC");
}
