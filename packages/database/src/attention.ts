import { text, timestamp } from "./drizzle.ts";
import { oneOf } from "./tables.ts";

/** Why a subject waits for a person, and since when. */
export interface Attention<Reason extends string> {
  readonly reason: Reason;
  readonly detail: string;
  readonly since: Date;
}

/** The columns of a subject that may wait for a person. Its table has the check `attentionCheck`. */
export function attentionColumns<Reason extends string, const Reasons extends readonly [Reason, ...Reason[]]>(
  reasons: Reasons,
) {
  return {
    attentionReason: text("attention_reason", { enum: reasons }),
    attentionDetail: text("attention_detail"),
    attentionSince: timestamp("attention_since", { withTimezone: true }),
  };
}

/** SQL that holds where all three columns are set, with one of these reasons, or none is. */
export function attentionCheck(reasons: readonly string[]): string {
  const whole = "num_nulls(attention_reason, attention_detail, attention_since) in (0, 3)";
  return `${whole} and ${oneOf("attention_reason", reasons)}`;
}

/**
 * SQL that holds where a subject waits for a person, in a wording of its own for each list that has an index of its
 * own. `attentionCheck` makes them equal. Those that wait are so few that the planner's sample may have none of them;
 * it expects one row then, by whatever index has the condition. Worded alike, the index of all of them would have the
 * condition of those of a user, too, and every one would be read to find them.
 */
export const needsAttention = {
  all: "attention_reason is not null",
  byUser: "attention_detail is not null",
  byStatus: "attention_since is not null",
  byStatusAndUser: "num_nulls(attention_reason, attention_detail, attention_since) = 0",
} as const;

/** Postgres types of the columns, for the event store. */
export const attentionRowColumns = {
  attention_reason: "text",
  attention_detail: "text",
  attention_since: "timestamptz",
} as const;

/** The columns' values, for the event store. */
export function attentionToRow(attention: Attention<string> | undefined) {
  return {
    attention_reason: attention?.reason ?? null,
    attention_detail: attention?.detail ?? null,
    attention_since: attention?.since.toISOString() ?? null,
  };
}

/** Reads the columns; undefined where the subject waits for no person. */
export function attentionFromRow<Reason extends string>(row: {
  readonly attentionReason: Reason | null;
  readonly attentionDetail: string | null;
  readonly attentionSince: Date | null;
}): Attention<Reason> | undefined {
  const { attentionReason: reason, attentionDetail: detail, attentionSince: since } = row;
  // The check ensures that all three are set, or none.
  return reason === null || detail === null || since === null ? undefined : { reason, detail, since };
}
