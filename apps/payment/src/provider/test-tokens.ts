/** How a test card behaves. Without a field it behaves like a good card. */
export interface TestCard {
  /** The authorization is refused with this code. */
  readonly declineCode?: string;
  /** The authorization succeeds and the capture is refused with this code. */
  readonly captureCode?: string;
  /** The effect happens at once; the network answers this much later. */
  readonly answerDelayMs?: number;
  /** The number of requests with one key that do not reach the network. The next one does. */
  readonly unreachableTimes?: number;
  /** The effect happens; the answer to its request never comes. */
  readonly losesAnswer?: boolean;
}

/** Longer than `providerDeadlineMs`, so that the request has timed out. */
const slowAnswerMs = 2_500;
const unreachableTimes = 2;

/** The payment methods that the simulated card network knows. The README of this service has them as a table. */
const testCards: ReadonlyMap<string, TestCard> = new Map<string, TestCard>([
  ["pm_test_approved", {}],
  ["pm_test_declined", { declineCode: "card_declined" }],
  ["pm_test_insufficient_funds", { declineCode: "insufficient_funds" }],
  ["pm_test_slow", { answerDelayMs: slowAnswerMs }],
  ["pm_test_unreachable", { unreachableTimes }],
  ["pm_test_unknown_outcome", { losesAnswer: true }],
  ["pm_test_capture_refused", { captureCode: "capture_refused" }],
  ["pm_test_authorization_expired", { captureCode: "authorization_expired" }],
]);

/** How a payment method behaves. An unknown one is declined. */
export function testCardOf(paymentMethod: string): TestCard {
  return testCards.get(paymentMethod) ?? { declineCode: "invalid_payment_method" };
}
