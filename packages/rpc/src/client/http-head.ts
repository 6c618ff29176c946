import type { DescMethod } from "@bufbuild/protobuf";
import type { RecordedSpan } from "@rialto/telemetry";
import { gatewayName } from "../identity/caller.ts";
import { clientAddressHeader, serviceTokenHeader, userTokenHeader } from "../identity/identity.ts";
import type { PersonTokens, ServiceTokens } from "../identity/signed-tokens.ts";
import type { OutgoingCall, PropagatedContext } from "../server/context.ts";
import { idempotencyKeyHeader } from "../server/idempotency.ts";
import { traceparentHeader } from "../server/pipeline.ts";
import { requestIdHeader } from "../wire/request-id.ts";

/** Who calls which service, and what signs its tokens. */
export interface Names {
  readonly caller: string;
  readonly target: string;
  readonly tokens: ServiceTokens;
  /** Only the gateway's: they name the people whose calls it passes on. */
  readonly persons?: PersonTokens;
}

/** The head of a call over HTTP. */
export interface HttpHead {
  readonly method: DescMethod;
  /** By their names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  readonly deadline: Date;
}

/**
 * Returns the head of a call over HTTP: its context as headers, and the tokens of who calls. `span` is the call's own,
 * where its trace is recorded.
 */
export async function httpHeadOf(call: OutgoingCall, names: Names, span: RecordedSpan | undefined): Promise<HttpHead> {
  const { method, context, idempotencyKey, deadline } = call;
  const fields: Record<string, string> = {
    [serviceTokenHeader]: await names.tokens.for(names.target),
    [requestIdHeader]: context.requestId,
    [traceparentHeader]: span?.traceparent ?? context.traceparent,
  };
  if (names.caller === gatewayName) {
    const person = await personTokenOf(names, context);
    if (person !== undefined) fields[userTokenHeader] = `Bearer ${person}`;
    if (context.clientAddress !== undefined) fields[clientAddressHeader] = context.clientAddress;
  }
  if (idempotencyKey !== undefined) fields[idempotencyKeyHeader] = idempotencyKey;
  return { method, fields, deadline };
}

/** Returns the token for the person whose call the gateway passes on; undefined for an anonymous one. */
async function personTokenOf({ target, persons }: Names, context: PropagatedContext): Promise<string | undefined> {
  if (context.userToken !== undefined) return context.userToken;
  if (context.caller?.kind !== "user" || persons === undefined) return undefined;
  return persons.for(context.caller, target);
}
