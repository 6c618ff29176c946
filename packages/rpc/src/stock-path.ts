/**
 * Whether tests ask for the official handlers, transport and HTTP client, by RIALTO_TEST_UNARY_PATH=stock: the fast
 * path of unary calls is then left out on both sides, and the same tests must pass.
 */
export function isStockPath(): boolean {
  return process.env.RIALTO_TEST_UNARY_PATH === "stock";
}
