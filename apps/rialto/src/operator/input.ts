import { once } from "node:events";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** The longest text that is read from standard input: more than any request that a gateway accepts. */
const inputCharsMax = 5 * 1024 * 1024;

/** Asks at the terminal. */
export async function ask(question: string): Promise<string> {
  return await readLine(question, process.stderr);
}

/**
 * Asks at the terminal for what must not be seen, and shows nothing of it. Where standard input is no terminal, returns
 * its first line, for scripts: a command line is visible to every user of a machine.
 */
export async function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) return (await readInput()).split(/\r?\n/, 1)[0] ?? "";
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const answer = await readLine("", nowhere);
  process.stderr.write("\n");
  return answer;
}

async function readLine(question: string, output: Writable): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CommandFailure(exitCodes.usage, "there is no terminal to ask at: use the options");
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const answered = new Promise<string>((resolve) => lines.question(question, resolve));
  const left = once(lines, "close").then((): never => {
    throw new CommandFailure(exitCodes.usage, "nothing was entered");
  });
  // It is raced, and the close after an answer rejects it too.
  left.catch(() => undefined);
  try {
    return await Promise.race([answered, left]);
  } finally {
    lines.close();
  }
}

/** Reads standard input to its end. */
export async function readInput(): Promise<string> {
  const input = await text(process.stdin);
  if (input.length > inputCharsMax) throw new CommandFailure(exitCodes.usage, "standard input is too long");
  return input;
}
