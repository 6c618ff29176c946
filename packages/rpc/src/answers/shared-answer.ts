/** What was made of a shared answer, by what it was made for. */
type MadeOf = { readonly key: object; readonly value: unknown }[];

/**
 * Where an answer has what was made of it. Not a WeakMap by the answer: each minor collection takes the values of one
 * for alive, where it is old, so they would be copied and promoted when their answer is long gone.
 */
const madeOf = Symbol("made of a shared answer");

/**
 * Says of an answer that it is one for several calls, and that nobody changes it any more, and returns it. What is made
 * of it for who only reads it is then made once (`madeOnce`): the message of calls in this process, and its JSON. A
 * client's method returns a copy, as of any other answer.
 */
export function shareAnswer<Answer extends object>(answer: Answer): Answer {
  // Nobody who lists or copies its fields sees it: a message has its fields and no others.
  if (!isShared(answer)) Object.defineProperty(answer, madeOf, { value: [] satisfies MadeOf });
  return answer;
}

/** Whether others have the same answer, or message: it must not be changed. */
export function isShared(answer: object): boolean {
  return Object.hasOwn(answer, madeOf);
}

/**
 * Returns what `make` makes of an answer: for one that is shared once for each key, and the same for all. It ends with
 * the answer.
 */
export function madeOnce<Value>(answer: object, key: object, make: () => Value): Value {
  if (!isShared(answer)) return make();
  // `shareAnswer` alone sets it.
  const made = (answer as { readonly [madeOf]: MadeOf })[madeOf];
  const found = made.find((other) => other.key === key);
  // By its key it is of the type that its maker makes.
  if (found !== undefined) return found.value as Value;
  const value = make();
  made.push({ key, value });
  return value;
}
