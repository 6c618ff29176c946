/**
 * The service's interface to a payment provider. An adapter for a real provider implements it; the rest of the service
 * knows nothing else of the provider.
 *
 * Every request carries a key. The provider has the effect of a key at most once, and answers every request with that
 * key the same. A missing answer is an outcome too: UNKNOWN means that the effect may or may not have happened. Before
 * a request is repeated, `find` looks its key up.
 */
export interface PaymentProvider {
  /** Holds an amount on a card. */
  authorize(request: AuthorizeRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /** Captures what an authorization holds. */
  capture(request: FollowUpRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /**
   * Releases what an authorization holds. Where the provider has not seen that authorization, it remembers the key and
   * refuses the authorization when it comes late.
   */
  void(request: FollowUpRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /** Refunds a part of the captured amount, or all of it. */
  refund(request: FollowUpRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /**
   * The outcome of the request with this key: undefined where the provider never saw it, UNKNOWN while it cannot say.
   */
  find(key: string, signal: AbortSignal): Promise<ProviderOutcome | undefined>;
  /**
   * Sets the handler of results that arrive after their request has timed out. A result may never come, or come twice.
   */
  onResult(handler: (result: LateResult) => Promise<void>): void;
  close(): Promise<void>;
}

interface ProviderRequest {
  /** The idempotency key. */
  readonly key: string;
  readonly orderId: string;
  readonly amount: bigint;
  readonly currency: string;
}

export interface AuthorizeRequest extends ProviderRequest {
  /** The provider's token for the card. */
  readonly paymentMethod: string;
}

/** A request that follows an authorization. */
export interface FollowUpRequest extends ProviderRequest {
  /** The authorization's idempotency key. */
  readonly authorizationKey: string;
}

/** A final answer. */
export type ProviderAnswer =
  | { readonly kind: "APPROVED" /** The provider's own id of the effect. */; readonly reference: string }
  | { readonly kind: "DECLINED" /** Why, in the provider's words. */; readonly code: string };

export type ProviderOutcome =
  | ProviderAnswer
  | { readonly kind: "UNKNOWN" /** For the log; never for a caller. */; readonly cause: string };

export interface LateResult {
  readonly key: string;
  readonly answer: ProviderAnswer;
}
