import type { CallError } from "../errors/call-error.ts";

/** The id of an account, as a verified token gave it. */
export type UserId = string & { readonly brand: "UserId" };

/** Who makes a call: nobody in particular, a person who is signed in, or one of the services. */
export type Caller =
  | { readonly kind: "anonymous" }
  | {
      readonly kind: "user";
      readonly userId: UserId;
      readonly role: "CUSTOMER" | "ADMIN";
      readonly sessionId: string;
      /** False where nobody has confirmed the account's e-mail address. Tokens of version 0.1.0 do not say it: their accounts count as confirmed. */
      readonly emailConfirmed?: boolean;
    }
  | { readonly kind: "service"; readonly name: string };

/** The caller in one word: the actor of a history and of a log. */
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
 * Lets a customer reach only what is theirs. Another's looks as if it did not exist, so `notFound` is the refusal that
 * the method gives for an unknown id. Admins and services pass: the access policy has let them in already.
 */
export function requireOwner(ctx: { readonly caller: Caller }, ownerId: string, notFound: CallError): void {
  const { caller } = ctx;
  if (caller.kind === "service") return;
  if (caller.kind === "user" && (caller.role === "ADMIN" || caller.userId === ownerId)) return;
  throw notFound;
}
