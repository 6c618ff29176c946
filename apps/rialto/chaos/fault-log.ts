/** A fault that was injected. */
export interface Fault {
  readonly kind: "KILL" | "FREEZE" | "CUT" | "SILENCE" | "FLUSH" | "READ_ONLY" | "MOVE" | "CUT_ALL";
  /** The parts it affects: one process, or both ends of a link. */
  readonly touches: readonly string[];
  /** Milliseconds since 1970, by the machine's clock. */
  readonly from: number;
  /** The end of the fault; undefined until then. */
  readonly to: number | undefined;
}

/** Records and reports the faults of a run. */
export interface FaultLog {
  readonly faults: readonly Fault[];
  /** Records the start of a fault. Call the returned function at its end. */
  begin(fault: Pick<Fault, "kind" | "touches">, message: string): (message: string) => void;
  note(message: string): void;
  secondsSoFar(): number;
}

/** Creates the log. Each entry is also reported at once. */
export function createFaultLog(report: (line: string) => void): FaultLog {
  const start = Date.now();
  const faults: Fault[] = [];
  const secondsSoFar = () => (Date.now() - start) / 1_000;
  const note = (message: string) => report(`${secondsSoFar().toFixed(1).padStart(7)} s  ${message}`);
  return {
    faults,
    begin({ kind, touches }, message) {
      const index = faults.push({ kind, touches, from: Date.now(), to: undefined }) - 1;
      note(message);
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
