import type { ErrorCode } from "./codes.ts";

/** One row of a service's error table. */
export interface ErrorRow {
  readonly code: ErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** The message for the caller: no SQL, no address, nothing about others. */
  readonly message: string;
  /** What the client should do. For docs/errors.md. */
  readonly client: string;
  /** What the operator should do. For docs/errors.md. */
  readonly operator: string;
}

/** One reason and its row. */
export interface ErrorDefinition extends ErrorRow {
  readonly reason: string;
  readonly domain: string;
  /** The proto enum that holds the reason, such as `OrderErrorReason`. */
  readonly enumName: string;
}

/** The reasons of an enum: all its names except the unspecified one. */
type Reasons<E> = Exclude<keyof E & string, `${string}_UNSPECIFIED`>;

/** A service's errors by reason; iterating gives them in the order of the table. */
export type ErrorTable<R extends string = string> = { readonly [K in R]: ErrorDefinition } & Iterable<ErrorDefinition>;

/**
 * Makes a service's table of errors. It must have every reason of the contract's enum, in order of precedence.
 *
 *     export const errors = defineErrors(OrderErrorReason, "order", {
 *       ORDER_NOT_FOUND: { code: "not_found", ... },
 *     });
 *     throw new CallError(errors.ORDER_NOT_FOUND);
 */
export function defineErrors<E extends object>(
  reasons: E,
  domain: string,
  rows: { readonly [K in Reasons<E>]: ErrorRow },
): ErrorTable<Reasons<E>> {
  const enumName = enumNameOf(reasons);
  const definitions = Object.entries<ErrorRow>(rows).map(([reason, row]) => ({ ...row, reason, domain, enumName }));
  const table = Object.fromEntries(definitions.map((definition) => [definition.reason, definition]));
  // The keys are those of `rows`, which the parameter's type has checked; fromEntries only forgets their names.
  return Object.assign(table, { [Symbol.iterator]: () => definitions.values() }) as unknown as ErrorTable<Reasons<E>>;
}

/** All errors of all tables, for docs/errors.md. */
export function* errorDefinitions(tables: Iterable<Iterable<ErrorDefinition>>): Generator<ErrorDefinition> {
  for (const table of tables) yield* table;
}

/** One field of a request and what is wrong with it. */
export interface FieldViolation {
  /** The path in proto names: `items[0].quantity`. */
  readonly field: string;
  readonly description: string;
  /** The rule that was broken, where a rule of the contract was: `int32.gte`. */
  readonly rule?: string;
}

/** The enum's own name, read off its zero value: ORDER_ERROR_REASON_UNSPECIFIED is of OrderErrorReason. */
function enumNameOf(reasons: object): string {
  const zero = Object.keys(reasons).find((name) => name.endsWith("_UNSPECIFIED")) ?? "";
  return zero
    .split("_")
    .slice(0, -1)
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}
