import { randomUUID } from "node:crypto";

/** One account of an attacker. */
export interface AttackAccount {
  readonly token: string;
  readonly userId: string;
}

/** One attacking address and its accounts. */
export interface Attacker {
  readonly address: string;
  readonly accounts: readonly AttackAccount[];
}

/** The plan for the attacking process. */
export interface AttackPlan {
  readonly url: string;
  readonly attackers: readonly Attacker[];
  readonly ms: number;
}

/** The totals of the attack. */
export interface AttackTotals {
  readonly requests: number;
  /** Responses by status; 0 for no response. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The maximum number of request bodies held open at once. */
  readonly heldMax: number;
}

export const attackPassword = "the password of an attacker";
const atOnce = 8;
const triesMax = 20;

/**
 * Creates the accounts of all attackers before the attack, each from its own address, because sign-ups are limited by
 * address.
 */
export async function seedAccounts(
  url: string,
  o: { readonly addresses: number; readonly accounts: number },
): Promise<readonly Attacker[]> {
  const made: AttackAccount[][] = Array.from({ length: o.addresses }, () => []);
  const total = o.addresses * o.accounts;
  let next = 0;
  const worker = async () => {
    for (let count = next++; count < total; count = next++) {
      const account = await openAccount(url, `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`);
      made[count % o.addresses]?.push(account);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return made.map((accounts, index) => ({ address: `203.0.113.${index + 1}`, accounts }));
}

async function openAccount(url: string, address: string): Promise<AttackAccount> {
  const email = `attacker-${randomUUID()}@example.com`;
  const user = await post(url, "/api/users", address, { email, name: "Mallory", password: attackPassword });
  const session = await post(url, "/api/auth/login", address, { email, password: attackPassword });
  return { userId: String(user.id), token: String(session.accessToken) };
}

async function post(url: string, path: string, address: string, body: unknown): Promise<Record<string, unknown>> {
  let answer = "";
  // An answer that was lost, or that came after its request was given up, is repeated: not refused as a second account.
  const key = randomUUID();
  for (let attempt = 0; attempt < triesMax; attempt += 1) {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": address, "idempotency-key": key },
      body: JSON.stringify(body),
    });
    answer = `${response.status} ${await response.text()}`;
    if (response.ok) return JSON.parse(answer.slice(answer.indexOf(" ")));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${path} was refused while accounts were seeded: ${answer}`);
}
