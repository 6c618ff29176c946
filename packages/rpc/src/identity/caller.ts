import { CallError } from "../errors/call-error.ts";
import type { ErrorDefinition } from "../errors/error-table.ts";

/** The id of an account, as a verified token gave it. */
export type UserId = string & { readonly brand: "UserId" };

/** The service that passes calls on: except for a few, its calls are those of the person that it names. */
export const gatewayName = "gateway";

/** The caller of a call: anonymous, a signed-in person, or a service. */
export type Caller =
  | { readonly kind: "anonymous" }
  | {
      readonly kind: "user";
      readonly userId: UserId;
      readonly role: "CUSTOMER" | "ADMIN";
      readonly sessionId: string;
      /**
       * Whether the account's e-mail address is confirmed. Tokens of version 0.1.0 have no such claim: their accounts
       * count as confirmed.
       */
      readonly emailConfirmed?: boolean;
    }
  | { readonly kind: "service"; readonly name: string };

/** Returns the caller as one word, as histories and logs name it. */
export function callerName(caller: Caller): string {
  switch (caller.kind) {
    case "anonymous":
      return "anonymous";
    case "service":
      return `service:${caller.name}`;
    case "user":
      return `${caller.role === "ADMIN" ? "admin" : "customer"}:${caller.userId}`;
  }
}

/**
 * Throws an error of `notFound` where a customer calls for something that another owns: it must look as if it did not
 * exist, so `notFound` is the method's for an unknown id. Admins and services pass, as the access policy allowed them.
 */
export function requireOwner(ctx: { readonly caller: Caller }, ownerId: string, notFound: ErrorDefinition): void {
  const { caller } = ctx;
  if (caller.kind === "service") return;
  if (caller.kind === "user" && (caller.role === "ADMIN" || caller.userId === ownerId)) return;
  throw new CallError(notFound);
}
