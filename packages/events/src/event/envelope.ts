import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { EnvelopeSchema } from "@rialto/contracts";

/** An event as a job carries it. The payload is not decoded yet: only the subscription knows its message type. */
export interface Envelope {
  readonly id: string;
  readonly topic: string;
  readonly subject: string;
  readonly version: number;
  readonly time: Date;
  readonly traceparent: string;
  readonly payload: JsonObject;
  /** As it was received: this is stored for an event that leaves its batch. */
  readonly json: JsonValue;
}

/** Decodes a `rialto.events.v1.Envelope` from proto3 JSON. Fields of a newer publisher are ignored. */
export function openEnvelope(json: JsonValue): Envelope {
  const { id, topic, subject, version, time, traceparent, payload } = fromJson(EnvelopeSchema, json, {
    ignoreUnknownFields: true,
  });
  if (id === "" || time === undefined) throw new Error("The envelope has no id or no time");
  return { id, topic, subject, version, time: timestampDate(time), traceparent, payload: payload ?? {}, json };
}
