import type { ErrorCode } from "@rialto/rpc";

/** Connect's codes: the number that google.rpc.Status carries and the HTTP status that Connect's table gives. */
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
} as const satisfies Readonly<Record<ErrorCode, { readonly number: number; readonly httpStatus: number }>>;

/** True for the name of a code, as Connect writes it in its JSON. */
export function isCode(name: unknown): name is ErrorCode {
  return typeof name === "string" && Object.hasOwn(codes, name);
}

/** The code with this number, as gRPC and google.rpc.Status count them. */
export function codeOfNumber(number: number): ErrorCode {
  const name = Object.keys(codes).find((code) => isCode(code) && codes[code].number === number);
  return isCode(name) ? name : "unknown";
}
