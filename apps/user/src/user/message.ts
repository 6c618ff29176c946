import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Role, UserEvent_Kind, UserEventSchema, UserSchema } from "@rialto/contracts";
import type * as contract from "@rialto/contracts/user";
import type { JsonValue as StoredJson } from "@rialto/database";
import type { Publication } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import type { User } from "./state.ts";

/** The account as callers see it. */
export function messageOf(user: User): contract.User {
  const { id, email, name, role, createTime, updateTime, disableTime, emailConfirmTime, pendingEmail = "" } = user;
  return create(UserSchema, {
    id,
    email,
    name,
    role: Role[role],
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
    ...(disableTime === undefined ? {} : { disableTime: timestampFromDate(disableTime) }),
    ...(emailConfirmTime === undefined ? {} : { emailConfirmTime: timestampFromDate(emailConfirmTime) }),
    pendingEmail,
  });
}

/** The response that is stored with an idempotency key. */
export function storedAnswerOf(user: User): JsonValue {
  return toJson(UserSchema, messageOf(user));
}

/** Reads a stored response. */
export function storedMessageOf(answer: StoredJson): contract.User {
  // Written by `storedAnswerOf`. The two types differ only in that ours is read-only.
  return fromJson(UserSchema, answer as JsonValue);
}

/** The event about an account. It carries only ids; subscribers read names and addresses from this service. */
export function publicationOf(
  user: User,
  kind: "CREATED" | "UPDATED" | "DISABLED" | "ENABLED",
  traceparent: string,
  /** The confirmation of the address of a new account. */
  confirmationId = "",
): Publication {
  return {
    id: uuidv7(),
    topic: `user.${kind.toLowerCase()}`,
    subject: user.id,
    version: user.version,
    time: user.updateTime,
    traceparent,
    payload: toJson(
      UserEventSchema,
      create(UserEventSchema, { userId: user.id, kind: UserEvent_Kind[kind], confirmationId }),
    ),
  };
}

/** The event that requests a reset mail. It has no token: that is issued when the mail is sent. */
export function resetPublicationOf(
  reset: { readonly id: string; readonly userId: string; readonly time: Date },
  traceparent: string,
): Publication {
  const kind = UserEvent_Kind.PASSWORD_RESET_REQUESTED;
  return {
    id: uuidv7(),
    topic: "user.password_reset_requested",
    subject: reset.id,
    version: 1,
    time: reset.time,
    traceparent,
    payload: toJson(UserEventSchema, create(UserEventSchema, { userId: reset.userId, kind, resetId: reset.id })),
  };
}

/**
 * The event that an address must be confirmed, or that a new one took effect. The sender of the mail reads the address
 * from this service.
 */
export function confirmationPublicationOf(
  kind: "EMAIL_CONFIRMATION_REQUESTED" | "EMAIL_CHANGED",
  { id, userId, time }: { readonly id: string; readonly userId: string; readonly time: Date },
  traceparent: string,
): Publication {
  const payload = create(UserEventSchema, { userId, kind: UserEvent_Kind[kind], confirmationId: id });
  const version = kind === "EMAIL_CHANGED" ? 2 : 1;
  const topic = `user.${kind.toLowerCase()}`;
  return { id: uuidv7(), topic, subject: id, version, time, traceparent, payload: toJson(UserEventSchema, payload) };
}

/** The event that a password was changed. */
export function passwordPublicationOf(userId: string, time: Date, traceparent: string): Publication {
  const id = uuidv7();
  const payload = toJson(UserEventSchema, create(UserEventSchema, { userId, kind: UserEvent_Kind.PASSWORD_CHANGED }));
  return { id, topic: "user.password_changed", subject: id, version: 1, time, traceparent, payload };
}
