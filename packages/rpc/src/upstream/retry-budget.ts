import { retryBudgetMax, retryShare } from "../limits.ts";

/** Bounds how much is repeated: a share of what is asked, with some in hand. */
export interface RetryBudget {
  /** A request came, which is worth a share of a repeat. */
  earn(): void;
  /** Takes a repeat; false where there is none left. */
  spend(): boolean;
}

/** When everything fails, repeating everything would ask a service that is down three times as much as one that is up. */
export function createRetryBudget(): RetryBudget {
  let repeats = retryBudgetMax;
  return {
    earn() {
      repeats = Math.min(retryBudgetMax, repeats + retryShare);
    },
    spend() {
      if (repeats < 1) return false;
      repeats -= 1;
      return true;
    },
  };
}
