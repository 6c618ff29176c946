import { type Caller, callErrors, type FieldViolation, refuse } from "@rialto/rpc";
import { errors } from "../errors.ts";

export type UserRole = "CUSTOMER" | "ADMIN";

/** An account, without its password. */
export interface User {
  readonly id: string;
  /** How often it was written: 1 when it was opened. */
  readonly version: number;
  /** As it was given; unique without regard to case. */
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** Since when nobody can sign in. */
  readonly disableTime: Date | undefined;
  /** Since when it is known that the address reaches its owner. */
  readonly emailConfirmTime: Date | undefined;
  /** The address that the account gets when that is confirmed. */
  readonly pendingEmail: string | undefined;
}

/** New values for an account. What is undefined stays as it is. */
export interface UserChange {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly role?: UserRole | undefined;
}

/** Makes a new account. Nobody has confirmed its address yet, but for the one that the operator gave. */
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
 * Reads a change off a request: the fields that the mask names, or those that are set where there is no mask. A field that is named
 * but has no value is refused, because an account has no empty ones.
 */
export function changeOf(values: UserChange, mask: readonly string[]): UserChange {
  if (mask.length === 0) return values;
  const { email, name, role } = values;
  const given: Readonly<Record<string, string | undefined>> = { email, name, role };
  const fields: readonly FieldViolation[] = mask
    .filter((path) => given[path] === undefined)
    .map((path) => ({ field: `user.${path}`, description: "is named by update_mask and has no value" }));
  if (fields.length > 0) throw refuse(callErrors.INVALID_REQUEST, { fields });
  return {
    email: mask.includes("email") ? email : undefined,
    name: mask.includes("name") ? name : undefined,
    role: mask.includes("role") ? role : undefined,
  };
}

/**
 * The account after a change. It is the same object where nothing differs. A new address waits until it is confirmed; one that differs by case only is
 * the same mailbox, and the one that the account has takes a waiting one back. Roles are changed by admins, and by nobody for
 * themselves: the last admin cannot lock everybody out, and a stolen session cannot raise itself.
 */
export function changeUser(user: User, change: UserChange, by: Caller, at: Date): User {
  const { name = user.name, role = user.role } = change;
  if (role !== user.role && !(by.kind === "user" && by.role === "ADMIN" && by.userId !== user.id)) {
    throw refuse(errors.ROLE_CHANGE_DENIED, {
      fields: [{ field: "user.role", description: errors.ROLE_CHANGE_DENIED.message }],
    });
  }
  const addresses = change.email === undefined ? user : addressesAfter(user, change.email);
  const changed = { ...user, email: addresses.email, pendingEmail: addresses.pendingEmail, name, role };
  const isSame = (["email", "pendingEmail", "name", "role"] as const).every((field) => changed[field] === user[field]);
  return isSame ? user : { ...changed, version: user.version + 1, updateTime: at };
}

function addressesAfter(user: User, email: string): Pick<User, "email" | "pendingEmail"> {
  const isSameMailbox = email.toLowerCase() === user.email.toLowerCase();
  return isSameMailbox ? { email, pendingEmail: undefined } : { email: user.email, pendingEmail: email };
}

/**
 * The account after an address of it was confirmed: the same object where it was already. Throws CONFIRMATION_TOKEN_INVALID where the address is none of
 * the account's any more, or where it was used for another.
 */
export function confirmEmail(
  user: User,
  { email, isUsed }: { readonly email: string; readonly isUsed: boolean },
  at: Date,
): User {
  const isOwn = email.toLowerCase() === user.email.toLowerCase();
  if (isOwn && user.emailConfirmTime !== undefined) return user;
  if (isUsed) throw refuse(errors.CONFIRMATION_TOKEN_INVALID);
  const confirmed = { ...user, emailConfirmTime: at, version: user.version + 1, updateTime: at };
  if (isOwn) return confirmed;
  if (email !== user.pendingEmail) throw refuse(errors.CONFIRMATION_TOKEN_INVALID);
  return { ...confirmed, email, pendingEmail: undefined };
}

/**
 * Whether a change has to be confirmed by the account's password: where its owner changes the address that a new password can be mailed to. A session
 * that was stolen would take the account with it for good.
 */
export function needsPassword(user: User, { email = user.email }: UserChange, by: Caller): boolean {
  return isOwner(user.id, by) && email !== user.email;
}

/** Whether an account is the caller's own. */
export function isOwner(userId: string, by: Caller): boolean {
  return by.kind === "user" && by.userId === userId;
}

/** The account after it was disabled: the same object where it was already. A new address that waits is given up. */
export function disableUser(user: User, by: Caller, at: Date): User {
  if (by.kind === "user" && by.userId === user.id) throw refuse(errors.SELF_DISABLE_DENIED);
  if (user.disableTime !== undefined) return user;
  return { ...user, disableTime: at, pendingEmail: undefined, version: user.version + 1, updateTime: at };
}

/** The account after it was opened again: the same object where it was never closed. */
export function enableUser(user: User, at: Date): User {
  if (user.disableTime === undefined) return user;
  return { ...user, disableTime: undefined, version: user.version + 1, updateTime: at };
}

/** The refusal of a change that its owner has to confirm by the password, and did not. */
export function passwordMissing() {
  const fields = [
    { field: "user.current_password", description: "is needed where the owner changes the e-mail address" },
  ];
  return refuse(callErrors.INVALID_REQUEST, { fields });
}

/** The refusal of an address that another account has. */
export function emailTaken(field: "email" | "user.email" | undefined) {
  const fields = field === undefined ? [] : [{ field, description: "belongs to another account" }];
  return refuse(errors.EMAIL_TAKEN, { fields });
}
