import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { limit, Role } from "@rialto/contracts";
import { limitKeyOf } from "@rialto/http";
import { CallError, type Caller, callErrors } from "@rialto/rpc";
import type { RateLimiter, RateLimits, Verdict } from "@rialto/service";
import { contractServices, isPublished } from "../contract.ts";
import type { Exchange } from "../exchange/exchange.ts";

/** How many requests one caller may make per window, and where they are counted. */
export interface RequestLimitOptions {
  readonly store: Pick<RateLimits, "limiter">;
  /** 0 lifts every limit. */
  readonly requests: number;
  readonly windowSeconds: number;
  /** Whether callers at this address are counted by account only. */
  readonly isBackend?: (address: string) => boolean;
}

/**
 * Counts a request, at once where this process counts: then it returns undefined. Throws or rejects with RATE_LIMITED
 * if its caller has none left.
 */
export type CountRequest = (
  exchange: Exchange,
  method: DescMethod | undefined,
  caller: Caller | undefined,
) => Promise<void> | undefined;

interface Policy {
  /** The roles that it applies to; all callers if empty. */
  readonly roles: readonly Role[];
  readonly name: string;
  /** The header that tells it. */
  readonly header: string;
  readonly limiter: RateLimiter;
}

/**
 * Makes the limits: one for all requests of a caller, and a separate one for each method that has the `limit` option in
 * the contract. A caller is a user, or the client address of an anonymous request (for IPv6 its /64); a request with an
 * invalid token counts as anonymous. Responses carry the headers of draft-ietf-httpapi-ratelimit-headers; a refusal
 * says in Retry-After when to try again.
 */
export function createRequestLimits(o: RequestLimitOptions): CountRequest {
  if (o.requests === 0) return () => undefined;
  const general = policyOf(o.store, {
    name: "default",
    requests: o.requests,
    windowSeconds: o.windowSeconds,
    roles: [],
  });
  const own = new Map<DescMethod, Policy>();
  for (const method of contractServices.flatMap((service) => service.methods)) {
    if (!hasOption(method, limit) || !isPublished(method)) continue;
    const { requests, windowSeconds, roles } = getOption(method, limit);
    own.set(method, policyOf(o.store, { name: method.name, requests, windowSeconds, roles }));
  }
  return (exchange, method, caller) => {
    const { clientAddress } = exchange;
    if (caller?.kind !== "user" && o.isBackend?.(clientAddress) === true) return undefined;
    const given = method && own.get(method);
    const policy = given !== undefined && holdsFor(given, caller) ? given : general;
    const key = caller?.kind === "user" ? `user:${caller.userId}` : `address:${limitKeyOf(clientAddress)}`;
    const verdict = policy.limiter.count(key);
    if (verdict instanceof Promise) return verdict.then((counted) => apply(counted, policy, exchange));
    apply(verdict, policy, exchange);
    return undefined;
  };
}

function apply({ isAllowed, remaining, resetMs }: Verdict, policy: Policy, exchange: Exchange): void {
  const seconds = Math.max(1, Math.ceil(resetMs / 1000));
  // Requests within a stream are counted after the response's headers were sent.
  if (!exchange.isHeadSent) {
    exchange.setHeader("ratelimit-policy", policy.header);
    exchange.setHeader("ratelimit", `"${policy.name}";r=${remaining};t=${seconds}`);
  }
  if (!isAllowed) throw new CallError(callErrors.RATE_LIMITED, { http: { headers: { "retry-after": `${seconds}` } } });
}

function holdsFor({ roles }: Policy, caller: Caller | undefined): boolean {
  if (roles.length === 0) return true;
  return roles.includes(caller?.kind === "user" ? Role[caller.role] : Role.PUBLIC);
}

function policyOf(
  store: RequestLimitOptions["store"],
  o: {
    readonly name: string;
    readonly requests: number;
    readonly windowSeconds: number;
    readonly roles: readonly Role[];
  },
): Policy {
  const { roles, ...window } = o;
  const { name, requests, windowSeconds } = window;
  return { roles, name, header: `"${name}";q=${requests};w=${windowSeconds}`, limiter: store.limiter(window) };
}
