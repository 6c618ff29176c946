/** What the customers and the admin were told: one half of what the checks compare. */
export interface ClientRecord {
  /** Every order that was confirmed to a client, by id. */
  readonly orders: Map<string, RecordedOrder>;
  /** Keys whose CreateOrder was refused, with the reason. */
  readonly refused: Map<string, string>;
  readonly customers: Map<string, { readonly email: string }>;
  readonly products: string[];
  /** The delivered stock of each product. */
  readonly received: Map<string, number>;
  /** Responses that contradict an earlier one. */
  readonly contradictions: { readonly order: string; readonly message: string }[];
  /** The number of requests that were sent more than once, and of all sends. */
  retried: number;
  sendings: number;
}

export interface RecordedOrder {
  readonly key: string;
  readonly userId: string;
  /** Whether a request that changes the order was answered with 200. */
  cancelAccepted: boolean;
  shipAccepted: boolean;
  deliverAccepted: boolean;
  /** Minor units. */
  refundAccepted: bigint;
}

export function emptyRecord(): ClientRecord {
  return {
    orders: new Map(),
    refused: new Map(),
    customers: new Map(),
    products: [],
    received: new Map(),
    contradictions: [],
    retried: 0,
    sendings: 0,
  };
}
