/** A fault as it happened. */
export interface Fault {
  readonly kind: "KILL" | "FREEZE" | "CUT" | "SILENCE" | "FLUSH" | "READ_ONLY" | "MOVE" | "CUT_ALL";
  /** The parts that it touches: one process, or both ends of a line. */
  readonly touches: readonly string[];
  /** Milliseconds since 1970, as the clocks of the system tell them. */
  readonly from: number;
  /** When what it hit worked again; undefined as long as it does not. */
  readonly to: number | undefined;
}

/** The faults of a run, and the words for them. */
export interface TimeLine {
  readonly faults: readonly Fault[];
  /** Writes down a fault that begins now; the answer is to be called when it is over. */
  begin(fault: Pick<Fault, "kind" | "touches">, words: string): (words: string) => void;
  note(words: string): void;
  secondsSoFar(): number;
}

/** Begins a time line. Each line of it is also told at once. */
export function createTimeLine(tell: (line: string) => void): TimeLine {
  const start = Date.now();
  const faults: Fault[] = [];
  const secondsSoFar = () => (Date.now() - start) / 1_000;
  const note = (words: string) => tell(`${secondsSoFar().toFixed(1).padStart(7)} s  ${words}`);
  return {
    faults,
    begin({ kind, touches }, words) {
      const index = faults.push({ kind, touches, from: Date.now(), to: undefined }) - 1;
      note(words);
      return (end) => {
        const begun = faults[index];
        if (begun !== undefined) faults[index] = { ...begun, to: Date.now() };
        if (end !== "") note(end);
      };
    },
    note,
    secondsSoFar,
  };
}
