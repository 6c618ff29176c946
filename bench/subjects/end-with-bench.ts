/**
 * Sends a signal to a process when the bench ends before it has stopped it: by an error, or interrupted (`main.ts`
 * exits then). Returns what to call when the process has ended, so that its id is not used after.
 */
export function endWithBench(pid: number | undefined, signal: NodeJS.Signals): () => void {
  if (pid === undefined) return () => undefined;
  const end = () => {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself.
    }
  };
  process.once("exit", end);
  return () => void process.off("exit", end);
}
