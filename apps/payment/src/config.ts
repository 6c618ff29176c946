import { oneOf, variable } from "@rialto/service/config";

/** What the payment service reads from the environment, beside what every process does. */
export const paymentVariables = {
  /** The simulated provider is the only one so far. Production uses it only if it is named. */
  paymentProvider: variable("RIALTO_PAYMENT_PROVIDER", oneOf("simulated"), {
    without: "`simulated`; production must set it",
    refuse: (name) =>
      name === undefined ? "must be set: the simulated provider is used only where it is named" : undefined,
  }),
};
