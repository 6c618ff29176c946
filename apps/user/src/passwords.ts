import { randomBytes } from "node:crypto";
import { hash, verify } from "@node-rs/argon2";
import type { Config } from "@rialto/service";
import { createTurns } from "./turns.ts";

/**
 * How many hashes are at work at once. Each holds one of libuv's four threads for some 30 ms: the other two are left to DNS and files,
 * which logins would starve otherwise.
 */
const hashesAtOnceMax = 2;
/** How many wait for their turn: some 3 s of work. Whoever comes then is told to try again. */
const hashesWaitingMax = 200;

/** argon2id, by OWASP's first choice for small machines; for tests, as cheap as it goes. */
const costs = {
  default: { memoryCost: 19_456, timeCost: 2, parallelism: 1 },
  test: { memoryCost: 64, timeCost: 1, parallelism: 1 },
} as const;

export interface Passwords {
  hash(password: string, signal: AbortSignal): Promise<string>;
  /** Compares a password with a hash, or with a decoy where there is no account: the same work, and never right. */
  verify(password: string, against: string | undefined, signal: AbortSignal): Promise<boolean>;
}

/** Makes the one place that hashes passwords and compares them. */
export async function createPasswords({ argon2Cost }: Pick<Config, "argon2Cost">): Promise<Passwords> {
  const cost = costs[argon2Cost];
  const turns = createTurns({ atOnceMax: hashesAtOnceMax, waitingMax: hashesWaitingMax });
  const decoy = await hash(randomBytes(32), cost);
  return {
    hash: (password, signal) => turns.take(() => hash(normalized(password), cost), signal),
    async verify(password, against, signal) {
      const matches = await turns.take(() => verify(against ?? decoy, normalized(password)), signal);
      return matches && against !== undefined;
    },
  };
}

/** Keyboards write one letter in more than one way; it is one password. */
function normalized(password: string): string {
  return password.normalize("NFKC");
}
