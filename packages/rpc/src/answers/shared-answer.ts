// By the answer itself, as it has no place for it: a message has its fields and no others.
const shared = new WeakSet<object>();

/**
 * Says of an answer that it is one for several calls, and that nobody changes it any more, and returns it. What is made
 * of it for who only reads it is then made once: the message of calls in this process, and its JSON. A client's method
 * returns a copy, as of any other answer.
 */
export function shareAnswer<Answer extends object>(answer: Answer): Answer {
  shared.add(answer);
  return answer;
}

/** Whether others have the same answer, or message: it must not be changed. */
export function isShared(answer: object): boolean {
  return shared.has(answer);
}
