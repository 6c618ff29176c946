import { flag, variable, wholeNumber } from "@rialto/service/config";

/** What the product service reads from the environment, beside what every process does. */
export const productVariables = {
  /** Fill a new catalog with products to try. */
  demo: variable("RIALTO_DEMO", flag, {
    defaultIn: ({ production }) => !production,
    without: "`true`; `false` in production",
  }),
  /** How many of one product an account may have ordered and not shipped yet; 0 for any number. */
  unshippedQuantityMax: variable("RIALTO_UNSHIPPED_QUANTITY_MAX", wholeNumber(0, 1_000_000_000), { default: 1_000 }),
};
