import { type Caller, callErrors, type FieldViolation, refuse } from "@rialto/rpc";
import { errors } from "./errors.ts";

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
}

/** New values for an account. What is undefined stays as it is. */
export interface UserChange {
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  readonly role?: UserRole | undefined;
}

/** Makes a new account. */
export function openAccount(o: {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  readonly at: Date;
}): User {
  const { at, ...given } = o;
  return { ...given, version: 1, createTime: at, updateTime: at, disableTime: undefined };
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
 * The account after a change. It is the same object where nothing differs. Roles are changed by admins, and by nobody for
 * themselves: the last admin cannot lock everybody out, and a stolen session cannot raise itself.
 */
export function changeUser(user: User, change: UserChange, by: Caller, at: Date): User {
  const { email = user.email, name = user.name, role = user.role } = change;
  if (role !== user.role && !(by.kind === "user" && by.role === "ADMIN" && by.userId !== user.id)) {
    throw refuse(errors.ROLE_CHANGE_DENIED, {
      fields: [{ field: "user.role", description: errors.ROLE_CHANGE_DENIED.message }],
    });
  }
  if (email === user.email && name === user.name && role === user.role) return user;
  return { ...user, email, name, role, version: user.version + 1, updateTime: at };
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

/** The account after it was disabled: the same object where it was already. */
export function disableUser(user: User, by: Caller, at: Date): User {
  if (by.kind === "user" && by.userId === user.id) throw refuse(errors.SELF_DISABLE_DENIED);
  if (user.disableTime !== undefined) return user;
  return { ...user, disableTime: at, version: user.version + 1, updateTime: at };
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
export function emailTaken(field: "email" | "user.email") {
  return refuse(errors.EMAIL_TAKEN, { fields: [{ field, description: "belongs to another account" }] });
}
