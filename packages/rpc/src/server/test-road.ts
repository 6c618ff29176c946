/**
 * Whether tests ask for the road of the official handlers, by RIALTO_TEST_ROAD=stock: the fast road of unary calls is
 * then left out, and the same tests must pass.
 */
export function isStockRoad(): boolean {
  return process.env.RIALTO_TEST_ROAD === "stock";
}
