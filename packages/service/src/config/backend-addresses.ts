import { addressBlocks, isTooWide } from "./kinds.ts";
import { variable } from "./variable.ts";

/**
 * The addresses and CIDR blocks of callers that act for many people, such as a shop's own server. The gateway counts
 * their requests by account only, and the user service their attempts: both read the same variable.
 */
export const backendAddresses = variable("RIALTO_BACKEND_ADDRESSES", addressBlocks, {
  default: [],
  without: "none",
  refuse: (blocks) =>
    blocks.some(isTooWide)
      ? "must name the backends' own networks: a block as wide as this lifts the limits of addresses for everybody in it"
      : undefined,
});
