/** The codes of Connect, as its JSON names them. */
export type ErrorCode = keyof typeof codes;

/**
 * The number of each code in google.rpc.Status, and its HTTP status (https://connectrpc.com/docs/protocol#error-codes).
 */
export const codes = {
  canceled: { number: 1, httpStatus: 499 },
  unknown: { number: 2, httpStatus: 500 },
  invalid_argument: { number: 3, httpStatus: 400 },
  deadline_exceeded: { number: 4, httpStatus: 504 },
  not_found: { number: 5, httpStatus: 404 },
  already_exists: { number: 6, httpStatus: 409 },
  permission_denied: { number: 7, httpStatus: 403 },
  resource_exhausted: { number: 8, httpStatus: 429 },
  failed_precondition: { number: 9, httpStatus: 400 },
  aborted: { number: 10, httpStatus: 409 },
  out_of_range: { number: 11, httpStatus: 400 },
  unimplemented: { number: 12, httpStatus: 501 },
  internal: { number: 13, httpStatus: 500 },
  unavailable: { number: 14, httpStatus: 503 },
  data_loss: { number: 15, httpStatus: 500 },
  unauthenticated: { number: 16, httpStatus: 401 },
} as const satisfies Readonly<Record<string, { readonly number: number; readonly httpStatus: number }>>;

/** True for the name of a code. */
export function isErrorCode(name: unknown): name is ErrorCode {
  return typeof name === "string" && Object.hasOwn(codes, name);
}

/** The code with this number; `unknown` where there is none. */
export function errorCodeOf(number: number): ErrorCode {
  const name = Object.keys(codes).find((code) => isErrorCode(code) && codes[code].number === number);
  return isErrorCode(name) ? name : "unknown";
}

/** Whether a code says that the service failed. All others are answers that a caller may be given. */
export function isFailureCode(code: ErrorCode): boolean {
  return failureCodes.has(code);
}

const failureCodes: ReadonlySet<ErrorCode> = new Set([
  "unknown",
  "deadline_exceeded",
  "internal",
  "unavailable",
  "data_loss",
]);
