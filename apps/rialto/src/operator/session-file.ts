import { randomUUID } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandFailure, exitCodes } from "./exit-codes.ts";

/** A session at one gateway. The password is not kept. */
export interface StoredSession {
  readonly email: string;
  readonly accessToken: string;
  /** ISO 8601. */
  readonly accessTokenExpires: string;
  readonly refreshToken: string;
}

/** The sessions by the URL of their gateway, the last login last. */
export type StoredSessions = ReadonlyMap<string, StoredSession>;

/** Returns the stored sessions; none where there is no file. Rejects where others could read the file. */
export async function readSessions(file: string): Promise<StoredSessions> {
  const text = await readPrivate(file);
  if (text === undefined) return new Map();
  const parsed = parse(text);
  if (parsed === undefined) throw new CommandFailure(exitCodes.notLoggedIn, `${file} holds no sessions: log in again`);
  return parsed;
}

/** Replaces the file as a whole, readable by its owner alone from its first byte on. */
export async function writeSessions(file: string, sessions: StoredSessions): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${randomUUID()}`;
  try {
    const handle = await open(next, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(Object.fromEntries(sessions), undefined, 2)}\n`);
    } finally {
      await handle.close();
    }
    // A narrow umask takes rights away.
    await chmod(next, 0o600);
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
}

async function readPrivate(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0)
      throw new CommandFailure(
        exitCodes.notLoggedIn,
        `others may read ${file}, which holds your session: chmod 600 it, and log in again if they had the time to`,
      );
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text: string): StoredSessions | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const entries = Object.entries(parsed);
    return entries.every((entry): entry is [string, StoredSession] => isSession(entry[1]))
      ? new Map(entries)
      : undefined;
  } catch {
    return undefined;
  }
}

function isSession(value: unknown): value is StoredSession {
  const names = ["email", "accessToken", "accessTokenExpires", "refreshToken"];
  return (
    typeof value === "object" && value !== null && names.every((name) => typeof Reflect.get(value, name) === "string")
  );
}
