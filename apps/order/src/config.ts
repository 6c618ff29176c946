import { flag, variable, wholeNumber } from "@rialto/service/config";

/** What the order service reads from the environment, beside what every process does. */
export const orderVariables = {
  /** Accept orders only from accounts with a confirmed e-mail address. */
  requireConfirmedEmail: variable("RIALTO_REQUIRE_CONFIRMED_EMAIL", flag, { default: false, without: "`off`" }),
  /** The queueing delay above which new orders are shed; ten times as much is never to be reached. */
  orderDelayMsTarget: variable("RIALTO_ORDER_DELAY_MS", wholeNumber(100, 60_000), { default: 1_000 }),
  /** Orders that are not finished, whatever they wait for; beyond it new ones are shed. */
  unfinishedOrdersMax: variable("RIALTO_UNFINISHED_ORDERS_MAX", wholeNumber(100, 10_000_000), { default: 100_000 }),
};
