import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Role, UserEvent_Kind, UserEventSchema, type User as UserMessage, UserSchema } from "@rialto/contracts";
import type { JsonValue as StoredJson } from "@rialto/database";
import type { Publication } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import type { User } from "./state.ts";

/** The account as callers see it. */
export function messageOf(user: User): UserMessage {
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

/** The answer that is stored with an idempotency key. */
export function storedAnswerOf(user: User): JsonValue {
  return toJson(UserSchema, messageOf(user));
}

/** Reads a stored answer. */
export function storedMessageOf(answer: StoredJson): UserMessage {
  // What `storedAnswerOf` wrote. The two types differ in that ours is read-only.
  return fromJson(UserSchema, answer as JsonValue);
}

/** What subscribers are told of an account: what happened, by its id. Whoever needs a name or an address asks. */
export function publicationOf(
  user: User,
  kind: "CREATED" | "UPDATED" | "DISABLED" | "ENABLED",
  traceparent: string,
  /** The confirmation of the address that a new account was opened with. */
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

/** That a mail was asked for which sets a new password. No token is in it: that is made when the mail is sent. */
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

/** That an address is to be confirmed, or that a new one took effect. Which address it is, who sends the mail asks for. */
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

/** That a new password was set. */
export function passwordPublicationOf(userId: string, time: Date, traceparent: string): Publication {
  const id = uuidv7();
  const payload = toJson(UserEventSchema, create(UserEventSchema, { userId, kind: UserEvent_Kind.PASSWORD_CHANGED }));
  return { id, topic: "user.password_changed", subject: id, version: 1, time, traceparent, payload };
}
