/** Whether a process takes work, and what it waits for, in plain words, where it does not yet. */
export interface ReadyState {
  readonly isStopping: boolean;
  readonly waiting: readonly string[];
}

/** Asks whether a process takes work. Never rejects, and may be asked by every probe: what is dear is asked for once for all of them. */
export type Readiness = () => Promise<ReadyState>;

/** True where work may be sent. */
export function isReady({ isStopping, waiting }: ReadyState): boolean {
  return !isStopping && waiting.length === 0;
}
