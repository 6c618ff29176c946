import { type CallContext, refuse } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { Passwords } from "../passwords/passwords.ts";
import type { Credentials } from "../user/store.ts";
import type { Attempts } from "./attempts.ts";

/**
 * Has the owner of an account show that they know its password: a session alone may be stolen. It counts as a login does, and is refused like
 * one: with CREDENTIALS_INVALID, or with TOO_MANY_ATTEMPTS.
 */
export async function requirePassword(
  app: { readonly attempts: Attempts; readonly passwords: Passwords },
  { user, passwordHash }: Credentials,
  given: string,
  ctx: Pick<CallContext, "clientAddress" | "signal">,
): Promise<void> {
  const attempt = await app.attempts.begin(user.email, ctx.clientAddress);
  if (!(await app.passwords.verify(given, passwordHash, "password-change", ctx)))
    throw refuse(errors.CREDENTIALS_INVALID);
  await attempt.succeeded();
}
