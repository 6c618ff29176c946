/**
 * What the payment service needs of whoever moves the money. An adapter for a real provider implements this; the rest of the service
 * knows nothing else of it.
 *
 * Every request carries a key. The provider does the effect of a key at most once and answers the same to each request with it. No
 * answer in time is an outcome too: UNKNOWN says that the effect may or may not have happened. Before anything is asked again, `find`
 * is asked for what is known of the key.
 */
export interface PaymentProvider {
  /** Holds an amount on a card. */
  authorize(request: AuthorizeRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /** Takes what an authorization holds. */
  capture(request: FollowUpRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /**
   * Lets go of what an authorization holds. Where the provider has not seen that authorization it remembers its key, and refuses
   * it when it comes late.
   */
  void(request: FollowUpRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /** Gives back a part of what was captured, or all of it. */
  refund(request: FollowUpRequest, signal: AbortSignal): Promise<ProviderOutcome>;
  /** What became of the request with this key: undefined where the provider never saw it, UNKNOWN where it cannot say yet. */
  find(key: string, signal: AbortSignal): Promise<ProviderOutcome | undefined>;
  /** Takes the results that arrive after their request has given up waiting. They may never come, or come twice. */
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

/** A request about an authorization that was made, or asked for, before. */
export interface FollowUpRequest extends ProviderRequest {
  /** The key that the authorization was asked for with. */
  readonly authorizationKey: string;
}

/** An answer that will not change any more. */
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
