import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Role, UserEvent_Kind, UserEventSchema, type User as UserMessage, UserSchema } from "@rialto/contracts";
import type { JsonValue as StoredJson } from "@rialto/database";
import type { Publication } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import type { User } from "./user.ts";

/** The account as callers see it. */
export function messageOf(user: User): UserMessage {
  const { id, email, name, role, createTime, updateTime } = user;
  return create(UserSchema, {
    id,
    email,
    name,
    role: Role[role],
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
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

/** What subscribers are told of an account: that it was opened or changed, by its id. Whoever needs a name or an address asks. */
export function publicationOf(user: User, kind: "CREATED" | "UPDATED", traceparent: string): Publication {
  return {
    id: uuidv7(),
    topic: `user.${kind.toLowerCase()}`,
    subject: user.id,
    version: user.version,
    time: user.updateTime,
    traceparent,
    payload: toJson(UserEventSchema, create(UserEventSchema, { userId: user.id, kind: UserEvent_Kind[kind] })),
  };
}
