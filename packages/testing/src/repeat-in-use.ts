import { setTimeout as sleep } from "node:timers/promises";

const repeatsMax = 100;
const pauseMs = 50;

/**
 * Sends a request with an idempotency key as a client does: again, with the same key, while the first request with it
 * is at work. On a busy machine that may take longer than a service waits for it.
 */
export async function repeatWhileInUse<T>(send: () => Promise<T>): Promise<T> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return await send();
    } catch (error) {
      if (repeats === repeatsMax || !isInUse(error)) throw error;
      await sleep(pauseMs);
    }
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && "reason" in error && error.reason === "IDEMPOTENCY_KEY_IN_USE";
}
