import type { DescMessage, Message } from "@bufbuild/protobuf";
import { isShared, shareAnswer } from "../answers/shared-answer.ts";
import { ownCopy } from "./own-copy.ts";

// They end with the answer that they were made of.
const messages = new WeakMap<object, Message>();

/**
 * Returns the message of a handler's answer for somebody who only reads it: one and the same for all calls that share
 * the answer, and one of its own where it is not shared.
 */
export function messageToRead(schema: DescMessage, answer: Record<string, unknown>): Message {
  if (!isShared(answer)) return ownCopy(schema, answer);
  const known = messages.get(answer);
  if (known?.$typeName === schema.typeName) return known;
  const made = shareAnswer(ownCopy(schema, answer));
  messages.set(answer, made);
  return made;
}
