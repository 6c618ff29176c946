import { randomBytes } from "node:crypto";
import { hash, verify } from "@node-rs/argon2";
import type { UserConfig } from "../config.ts";
import { createHashingQueue, type HashingCaller, type HashingKind } from "./hashing-queue.ts";

/**
 * The number of concurrent hashes. Each occupies one of libuv's four threads for about 30 ms; the other two remain for
 * DNS and files, which logins would starve otherwise.
 */
const hashesAtOnceMax = 2;

/** argon2id with OWASP's first choice of parameters for small machines; the lowest cost in tests. */
const costs = {
  default: { memoryCost: 19_456, timeCost: 2, parallelism: 1 },
  test: { memoryCost: 64, timeCost: 1, parallelism: 1 },
} as const;

export interface Passwords {
  hash(password: string, kind: HashingKind, caller: HashingCaller): Promise<string>;
  /** Compares a password with a hash. Without a hash (no such account), does the same work and returns false. */
  verify(password: string, against: string | undefined, kind: HashingKind, caller: HashingCaller): Promise<boolean>;
}

/**
 * Creates the only component that hashes and compares passwords. Each kind of work has its own queue, so that a flood
 * of one kind does not delay the others.
 */
export async function createPasswords({ argon2Cost }: Pick<UserConfig, "argon2Cost">): Promise<Passwords> {
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

/** Keyboards produce several encodings of the same letter. */
function normalized(password: string): string {
  return password.normalize("NFKC");
}
