import { createClient, type Transport } from "@connectrpc/connect";
import { AuthService } from "@rialto/contracts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { readSessions, type StoredSession, writeSessions } from "./session-file.ts";

/** How much of its life an access token must have left to be used: the time that a call may take to begin. */
const lifeMsMin = 30_000;

/** Opens a session and stores it. Rejects with the error of the login. */
export async function logIn(
  transport: Transport,
  o: { readonly file: string; readonly url: string; readonly email: string; readonly password: string },
): Promise<void> {
  const { file, url, email, password } = o;
  const answer = await createClient(AuthService, transport).login({ email, password });
  const sessions = new Map(await readSessions(file));
  // The last login is the one that calls without a URL use.
  sessions.delete(url);
  await writeSessions(file, sessions.set(url, storedSession(email, answer)));
}

/** Ends a session, and removes it from the file also where the gateway does not know it any more. */
export async function logOut(transport: Transport, file: string, url: string): Promise<void> {
  const token = await accessToken(transport, file, url);
  const sessions = new Map(await readSessions(file));
  sessions.delete(url);
  await writeSessions(file, sessions);
  if (token === undefined) throw new CommandFailure(exitCodes.notLoggedIn, `you are not logged in at ${url}`);
  await createClient(AuthService, transport).logout({}, { headers: { authorization: `Bearer ${token}` } });
}

/**
 * Returns an access token of the session at a gateway, a new one where the old one is about to expire; undefined where
 * there is no session. Rejects with the error of the refresh.
 */
export async function accessToken(transport: Transport, file: string, url: string): Promise<string | undefined> {
  const sessions = await readSessions(file);
  const session = sessions.get(url);
  if (session === undefined) return undefined;
  if (Date.parse(session.accessTokenExpires) - Date.now() > lifeMsMin) return session.accessToken;
  const answer = await createClient(AuthService, transport).refreshToken({ refreshToken: session.refreshToken });
  const next = storedSession(session.email, answer);
  await writeSessions(file, new Map(sessions).set(url, next));
  return next.accessToken;
}

function storedSession(
  email: string,
  o: { readonly accessToken: string; readonly refreshToken: string; readonly expiresIn: number },
): StoredSession {
  const { accessToken: token, refreshToken, expiresIn } = o;
  const accessTokenExpires = new Date(Date.now() + expiresIn * 1_000).toISOString();
  return { email, accessToken: token, accessTokenExpires, refreshToken };
}
