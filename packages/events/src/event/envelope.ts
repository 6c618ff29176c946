import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { EnvelopeSchema } from "@rialto/contracts";

/** An event as a job carries it, opened as far as it can be without knowing the message inside. */
export interface Envelope {
  readonly id: string;
  readonly topic: string;
  readonly subject: string;
  readonly version: number;
  readonly time: Date;
  readonly traceparent: string;
  readonly payload: JsonObject;
  /** As it came: what is kept of an event that leaves its batch. */
  readonly json: JsonValue;
}

/** Opens a `rialto.events.v1.Envelope` in proto3 JSON. Fields of a newer publisher are passed over. */
export function openEnvelope(json: JsonValue): Envelope {
  const { id, topic, subject, version, time, traceparent, payload } = fromJson(EnvelopeSchema, json, {
    ignoreUnknownFields: true,
  });
  if (id === "" || time === undefined) throw new Error("An envelope without id or time");
  return { id, topic, subject, version, time: timestampDate(time), traceparent, payload: payload ?? {}, json };
}
