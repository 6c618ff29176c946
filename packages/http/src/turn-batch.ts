/** Something that is written at the end of a turn. */
export interface Batched {
  /** Writes it. Called once each time that it was added. It must not throw. */
  onTurnEnd(): void;
}

/** How many wait at most: the first of them waits for what the others need. */
const waitingMax = 8;

/**
 * Writes what one turn of the event loop has to write at its end, one after the other. A write to a socket wakes the
 * process at its other end, which costs more than the write where that process sleeps. The first write of a batch wakes
 * it; the others find it awake. Where each is written as soon as it is known, the process at the other end has done its
 * work and sleeps again before the next one.
 */
export class TurnBatch {
  #waiting: Batched[] = [];
  #isScheduled = false;

  add(one: Batched): void {
    this.#waiting.push(one);
    if (this.#waiting.length >= waitingMax) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#onImmediate);
    }
  }

  readonly #onImmediate = (): void => {
    this.#isScheduled = false;
    this.#flush();
  };

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.onTurnEnd();
  }
}
