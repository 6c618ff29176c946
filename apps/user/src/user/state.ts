import { CallError, type Caller, callErrors, type FieldViolation } from "@rialto/rpc";
import { errors } from "../errors.ts";

export type UserRole = "CUSTOMER" | "ADMIN";

/** An account, without its password. */
export interface User {
  readonly id: string;
  /** The number of times it was written; 1 for a new account. */
  readonly version: number;
  /** As the user entered it; unique regardless of case. */
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** When the account was disabled. */
  readonly disableTime: Date | undefined;
  /** When the address was confirmed. */
  readonly emailConfirmTime: Date | undefined;
  /** The address that takes effect once it is confirmed. */
  readonly pendingEmail: string | undefined;
}

/** New values for an account. Undefined fields stay unchanged. */
export interface UserChange {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly role?: UserRole | undefined;
}

/** Creates an account. Its address is unconfirmed, except for the one that the operator configured. */
export function openAccount(o: {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  readonly at: Date;
  readonly isConfirmed?: boolean;
}): User {
  const { at, isConfirmed = false, ...given } = o;
  const emailConfirmTime = isConfirmed ? at : undefined;
  const times = { createTime: at, updateTime: at, disableTime: undefined, emailConfirmTime };
  return { ...given, version: 1, ...times, pendingEmail: undefined };
}

/**
 * Reads the change from a request: the fields in the mask, or the ones that are set if there is no mask. Throws
 * INVALID_REQUEST if the mask names a field without a value, because accounts have no empty fields.
 */
export function changeOf(values: UserChange, mask: readonly string[]): UserChange {
  if (mask.length === 0) return values;
  const { email, name, role } = values;
  const given: Readonly<Record<string, string | undefined>> = { email, name, role };
  const fields: readonly FieldViolation[] = mask
    .filter((path) => given[path] === undefined)
    .map((path) => ({ field: `user.${path}`, description: "is named by update_mask and has no value" }));
  if (fields.length > 0) throw new CallError(callErrors.INVALID_REQUEST, { fields });
  return {
    email: mask.includes("email") ? email : undefined,
    name: mask.includes("name") ? name : undefined,
    role: mask.includes("role") ? role : undefined,
  };
}

/**
 * Returns the account after a change; the same object if nothing differs. A new address is pending until it is
 * confirmed. An address that differs only by case is the same mailbox and takes effect at once, and entering the
 * current address cancels a pending one. Only admins change roles, and not their own: the last admin cannot lock
 * everyone out, and a stolen session cannot promote itself.
 */
export function changeUser(user: User, change: UserChange, by: Caller, at: Date): User {
  const { name = user.name, role = user.role } = change;
  if (role !== user.role && !(by.kind === "user" && by.role === "ADMIN" && by.userId !== user.id)) {
    throw new CallError(errors.ROLE_CHANGE_DENIED, {
      fields: [{ field: "user.role", description: errors.ROLE_CHANGE_DENIED.message }],
    });
  }
  const addresses = change.email === undefined ? user : changedAddresses(user, change.email);
  const changed = { ...user, email: addresses.email, pendingEmail: addresses.pendingEmail, name, role };
  const isSame = (["email", "pendingEmail", "name", "role"] as const).every((field) => changed[field] === user[field]);
  return isSame ? user : { ...changed, version: user.version + 1, updateTime: at };
}

function changedAddresses(user: User, email: string): Pick<User, "email" | "pendingEmail"> {
  const isSameMailbox = email.toLowerCase() === user.email.toLowerCase();
  return isSameMailbox ? { email, pendingEmail: undefined } : { email: user.email, pendingEmail: email };
}

/**
 * Returns the account after an address was confirmed; the same object if it already was. Throws
 * CONFIRMATION_TOKEN_INVALID if the address is no longer the account's, or the token was redeemed for another one.
 */
export function confirmEmail(
  user: User,
  { email, isUsed }: { readonly email: string; readonly isUsed: boolean },
  at: Date,
): User {
  const isOwn = email.toLowerCase() === user.email.toLowerCase();
  if (isOwn && user.emailConfirmTime !== undefined) return user;
  if (isUsed) throw new CallError(errors.CONFIRMATION_TOKEN_INVALID);
  const confirmed = { ...user, emailConfirmTime: at, version: user.version + 1, updateTime: at };
  if (isOwn) return confirmed;
  if (email !== user.pendingEmail) throw new CallError(errors.CONFIRMATION_TOKEN_INVALID);
  return { ...confirmed, email, pendingEmail: undefined };
}

/**
 * Whether a change requires the current password: the owner changes the address that reset mails are sent to.
 * Otherwise, a stolen session could take over the account.
 */
export function needsPassword(user: User, { email = user.email }: UserChange, by: Caller): boolean {
  return isOwner(user.id, by) && email !== user.email;
}

/** Whether the caller owns the account. */
export function isOwner(userId: string, by: Caller): boolean {
  return by.kind === "user" && by.userId === userId;
}

/** Returns the disabled account; the same object if it already was. Discards a pending address. */
export function disableUser(user: User, by: Caller, at: Date): User {
  if (by.kind === "user" && by.userId === user.id) throw new CallError(errors.SELF_DISABLE_DENIED);
  if (user.disableTime !== undefined) return user;
  return { ...user, disableTime: at, pendingEmail: undefined, version: user.version + 1, updateTime: at };
}

/** Returns the enabled account; the same object if it already was. */
export function enableUser(user: User, at: Date): User {
  if (user.disableTime === undefined) return user;
  return { ...user, disableTime: undefined, version: user.version + 1, updateTime: at };
}

/** The error for a change that requires the current password. */
export function currentPasswordRequired() {
  const fields = [
    { field: "user.current_password", description: "is needed where the owner changes the e-mail address" },
  ];
  return new CallError(callErrors.INVALID_REQUEST, { fields });
}

/** The error for an address that another account has. */
export function emailTaken(field: "email" | "user.email" | undefined) {
  const fields = field === undefined ? [] : [{ field, description: "belongs to another account" }];
  return new CallError(errors.EMAIL_TAKEN, { fields });
}
