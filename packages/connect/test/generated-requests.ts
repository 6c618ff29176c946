import type { RawRequest } from "./raw-requests.ts";
import { changes } from "./request-changes.ts";
import { draftOf, type Pick } from "./request-draft.ts";
import { enveloped } from "./wire.ts";

/** Marsaglia's xorshift, of 32 bits. */
function pickBy(seed: number): Pick {
  let state = seed | 0 || 1;
  const below = (end: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
  return {
    below,
    // An index below the length has a value.
    of: <T>(values: readonly [T, ...T[]]) => values[below(values.length)] as T,
    chance: (share) => below(1_000) < share * 1_000,
  };
}

/**
 * Makes one request of a seed: a call in any of the protocols as a client would send it, and for most of them up to
 * three changes, which may break it.
 */
export function generateRequest(seed: number): RawRequest {
  const pick = pickBy(seed * 2_654_435_761);
  for (let warmUp = 0; warmUp < 5; warmUp += 1) pick.below(2);
  const version = pick.of<RawRequest["version"]>(["1.1", "2"]);
  const draft = draftOf(pick);
  const names: string[] = [];
  for (let left = pick.below(4); left > 0; left -= 1) {
    const [name, change] = pick.of(changes);
    names.push(name);
    change(draft, pick);
  }
  const { method, headers, missingBytes, isChunked } = draft;
  const query = draft.query.map((pair) => pair.join("=")).join("&");
  const target = query === "" ? draft.path : `${draft.path}?${query}`;
  const whole = draft.flags === undefined ? draft.message : enveloped(draft.message, draft.flags);
  const withRest = Buffer.concat([whole, draft.behind]);
  const body = method === "GET" && draft.query.length > 0 ? draft.behind : withRest;
  return {
    seed,
    title: names.join(", ") || "as a client sends it",
    version,
    method,
    target,
    headers,
    body: body.subarray(0, Math.max(0, body.length - draft.cutBytes)),
    missingBytes: version === "1.1" ? missingBytes : 0,
    isChunked,
    isFollowed: version === "1.1" && missingBytes === 0 && pick.chance(0.5),
  };
}
