import { writeSync } from "node:fs";
import type { DestinationStream } from "pino";

/** How long a reader that is behind is waited for, before the rest of a line is written to it. */
const busyMs = 100;

/**
 * Returns a destination that writes each line before `write` returns, with one system call where that takes all of it.
 * Where the file takes no bytes now, as a full pipe, the process waits; where it takes none at all, the line is lost.
 *
 * Pino's own destination copies each line to see whether it was written as a whole, which costs more than the write.
 */
export function writeLinesTo(fd: number): DestinationStream {
  return {
    write(line) {
      const written = writeSome(fd, line);
      if (written < Buffer.byteLength(line)) writeRest(fd, Buffer.from(line).subarray(written));
    },
  };
}

function writeRest(fd: number, rest: Buffer): void {
  for (let at = 0; at < rest.byteLength; ) {
    const written = writeSome(fd, rest.subarray(at));
    if (written === 0) Atomics.wait(cell, 0, 0, busyMs);
    at += written;
  }
}

/** Returns how many bytes were written: none where the file is busy; more than there are where it takes none at all. */
function writeSome(fd: number, part: string | Buffer): number {
  try {
    return typeof part === "string" ? writeSync(fd, part) : writeSync(fd, part);
  } catch (error) {
    return isBusy(error) ? 0 : Number.POSITIVE_INFINITY;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EBUSY");
}

/** Nobody wakes who waits for it. */
const cell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
