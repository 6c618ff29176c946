import type { DescMessage, Message } from "@bufbuild/protobuf";
import { isShared, madeOnce, shareAnswer } from "../answers/shared-answer.ts";
import { ownCopy } from "./own-copy.ts";

/**
 * Returns the message of a handler's answer for somebody who only reads it: one and the same for all calls that share
 * the answer, and one of its own where it is not shared.
 */
export function messageToRead(schema: DescMessage, answer: Record<string, unknown>): Message {
  if (!isShared(answer)) return ownCopy(schema, answer);
  return madeOnce(answer, schema, () => shareAnswer(ownCopy(schema, answer)));
}
