import { posix } from "node:path";
import type { SourceFile } from "./source-files.ts";

/** A name that is refused, and the term that stands for it in docs/glossary.md. */
export interface RefusedWord {
  readonly word: string;
  readonly term: string;
  readonly path: string;
  readonly line: number;
}

/**
 * Exact identifiers of ours that were given up for the field's terms, as whole words. A word that is also plain English
 * is not listed: its use in a sentence is not a fault.
 */
const refusedIdentifiers: Readonly<Record<string, string>> = {
  LocalRoad: "in-process transport",
  RemoteRoad: "HTTP transport",
  createLocalRoad: "in-process transport",
  createRemoteRoad: "HTTP transport",
  createRoom: "bulkhead",
  NoRoom: "BulkheadFull",
  requireTaken: "response write timeout",
  TakingTime: "response write timeout",
  answerTakingMax: "response write timeout",
  TellsNothing: "inconclusive",
  isBrokenOff: "canceled by caller",
  attemptAt: "send once",
  ByteRequest: "HTTP request",
  ByteResponse: "HTTP response",
  ByteUpstream: "upstream",
  createByteUpstream: "upstream",
  fetchBytes: "handle",
  workOrigin: "call context",
  callBehind: "upstream",
  eventsDoor: "event admin API",
  createEventsDoor: "event admin API",
  createAuditDoor: "audit API",
  doorName: "gateway",
  doorOptions: "gateway options",
  eventKeepers: "backends",
  setBack: "record failure",
  Setback: "retry decision",
  holdBack: "schedule retry",
  failAgain: "reschedule",
  putAside: "quarantine",
  takeUp: "reclaim",
  passOver: "expire",
  takenOver: "already processed",
  PublisherFigures: "stats",
  SubscriberFigures: "stats",
  publisherFigures: "stats",
  subscriberFigures: "stats",
  createEffectRecord: "acknowledgement",
  ServiceStanding: "status",
  toldOf: "status",
  CombinedCommit: "group commit",
  createCombinedCommit: "group commit",
  Combiner: "batcher",
  createCombiner: "batcher",
  Situation: "state",
  Announcement: "startup notice",
  announcementText: "startup notice",
  useReset: "consume reset",
  butFor: "except",
};

const refusedFileNames: Readonly<Record<string, string>> = {
  "local-road": "in-process-transport",
  "remote-road": "http-transport",
  road: "transport",
  roads: "transports",
  room: "bulkhead",
  taking: "write-timeout",
  preface: "protocol-sniff",
  pipelined: "pipelining",
  "events-door": "event-admin-api",
  "audit-door": "audit-api",
  "door-options": "options",
  keepers: "backends",
  intake: "pausable-worker",
  "effect-record": "acknowledgement",
  letter: "template",
  wording: "template",
  told: "reported",
  announcement: "startup-notice",
  "combined-commit": "group-commit",
  combiner: "batcher",
  "byte-handler": "rpc-handler",
  "byte-replica": "replica",
  "byte-upstream": "upstream",
  bytes: "http-message",
};

const identifier = new RegExp(`\\b(?:${Object.keys(refusedIdentifiers).join("|")})\\b`, "g");

/** Every refused identifier in a file, and its own name where that is refused. */
export function refusedWordsIn({ path, text }: SourceFile): readonly RefusedWord[] {
  const name = posix.basename(path).replace(/(?:\.e2e|\.prop|\.test)*\.[a-z]+$/, "");
  const ofName = refusedFileNames[name];
  return [
    ...(ofName === undefined ? [] : [{ word: name, term: ofName, path, line: 1 }]),
    ...text.split("\n").flatMap((line, index) =>
      [...line.matchAll(identifier)].map(([word]) => ({
        word,
        term: refusedIdentifiers[word] ?? "",
        path,
        line: index + 1,
      })),
    ),
  ];
}
