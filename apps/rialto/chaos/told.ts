/** What the customers and the admin were told: the other half of what the checker compares. */
export interface Told {
  /** Every order that somebody was told exists, by its id. */
  readonly orders: Map<string, ToldOrder>;
  /** Keys whose CreateOrder was refused, with the reason. */
  readonly refused: Map<string, string>;
  readonly customers: Map<string, { readonly email: string }>;
  readonly products: string[];
  /** All that was delivered of each product. */
  readonly received: Map<string, number>;
  /** Answers that contradict an earlier one. */
  readonly contradictions: { readonly order: string; readonly words: string }[];
  /** Requests that were sent more than once, and how many sendings there were in all. */
  retried: number;
  sendings: number;
}

export interface ToldOrder {
  readonly key: string;
  readonly userId: string;
  /** Each is an answer of 200 to a request that changes the order. */
  cancelTold: boolean;
  shipTold: boolean;
  deliverTold: boolean;
  /** Minor units. */
  refundTold: bigint;
}

export function nothingTold(): Told {
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
