/** How far it may be from the clock of the machine, which counts whole milliseconds. */
const driftMsMax = 2;

/**
 * Creates a clock of milliseconds since 1970 with their fractions. The SDK's own spans start at a whole millisecond, in
 * which a call and its statements begin and end: they would stand side by side. It follows the clock of the machine
 * where that was set, or runs at another pace.
 */
export function createPreciseClock(
  machine: { wall(): number; running(): number; origin: number } = {
    wall: () => Date.now(),
    running: () => performance.now(),
    origin: performance.timeOrigin,
  },
): () => number {
  let { origin } = machine;
  return () => {
    const before = origin + machine.running();
    const wall = machine.wall();
    if (Math.abs(before - wall) <= driftMsMax) return before;
    // A process that was interrupted between the two readings has not lost its clock.
    const after = origin + machine.running();
    if (wall > before && wall <= after + driftMsMax) return after;
    origin += wall - after;
    return wall;
  };
}
