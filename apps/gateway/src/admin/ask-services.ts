import { type CallContext, callErrors, isUnavailable, type Origin, reasonOf, refuse } from "@rialto/rpc";
import { eventErrors } from "@rialto/service";

/**
 * The call that the gateway answers, as the origin of those that it makes for it: in the name of the person who called, whom it names to each
 * service anew, so each decides again who may, and from their address.
 */
export function onBehalfOf(ctx: CallContext): Origin {
  const { signal, deadline, requestId, traceparent, clientAddress, caller, userToken } = ctx;
  return {
    signal,
    requestId,
    traceparent,
    caller,
    ...(deadline && { deadline }),
    ...(clientAddress !== undefined && { clientAddress }),
    ...(userToken !== undefined && { userToken }),
  };
}

/** What the services answered that know what was asked about. */
export interface Asked<T> {
  readonly answers: readonly T[];
  /** The services that did not answer. */
  readonly unreachable: readonly string[];
  /** The one answer; throws where no service knows what was asked about, or where one that did not answer might. */
  requireOne(): T;
}

/**
 * Asks every service. One that knows no such subscription has nothing to say; another refusal is the answer, unless a second service knows better.
 */
export async function askAll<K extends { readonly service: string }, T>(
  keepers: readonly K[],
  ask: (keeper: K) => Promise<T>,
): Promise<Asked<T>> {
  const answers: T[] = [];
  const unreachable: string[] = [];
  let refused: unknown;
  await Promise.all(
    keepers.map(async (keeper) => {
      try {
        answers.push(await ask(keeper));
      } catch (error) {
        const reason = reasonOf(error);
        if (isUnavailable(error)) unreachable.push(keeper.service);
        // A service without an inbox serves no dead letters.
        else if (reason !== "SUBSCRIPTION_NOT_FOUND" && reason !== "METHOD_UNKNOWN") refused = error;
      }
    }),
  );
  if (answers.length === 0 && refused !== undefined) throw refusalOf(refused);
  return {
    answers,
    unreachable: unreachable.sort(),
    requireOne: () => answers[0] ?? notFound(unreachable),
  };
}

/** What a service refused with, as the door's own refusal. */
function refusalOf(error: unknown): unknown {
  const reason = reasonOf(error);
  for (const definition of [...eventErrors, ...callErrors]) {
    if (definition.reason === reason) return refuse(definition, { cause: error });
  }
  return error;
}

export function notFound(unreachable: readonly string[]): never {
  throw refuse(unreachable.length > 0 ? callErrors.TEMPORARILY_UNAVAILABLE : eventErrors.SUBSCRIPTION_NOT_FOUND);
}
