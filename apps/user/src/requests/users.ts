import { Role, type UserChange, UserSchema, type UserService } from "@rialto/contracts";
import { type AuditChange, type Database, once, recordAudit, replay } from "@rialto/database";
import { publish } from "@rialto/events";
import {
  auditChanges,
  auditOf,
  type CallContext,
  CallError,
  callErrors,
  cancelSignalOf,
  type Handlers,
  messageSize,
  page,
  requireOwner,
} from "@rialto/rpc";
import { validate as isUuid, v7 as uuidv7 } from "uuid";
import { errors } from "../errors.ts";
import {
  endAddressChange,
  endConfirmations,
  insertConfirmation,
  requestConfirmation,
} from "../one-time-tokens/confirmation-store.ts";
import { endResets } from "../one-time-tokens/reset-store.ts";
import type { Passwords } from "../passwords/passwords.ts";
import { endAllSessions } from "../sessions/store.ts";
import { messageOf, publicationOf, storedAnswerOf, storedMessageOf } from "../user/message.ts";
import {
  changeOf,
  changeUser,
  currentPasswordRequired,
  disableUser,
  emailTaken,
  enableUser,
  isOwner,
  needsPassword,
  openAccount,
  type User,
  type UserRole,
} from "../user/state.ts";
import { hasPasswordHash, insertUser, isTakenByAnother, lockUser, type UserStore, updateUser } from "../user/store.ts";
import type { AttemptLimits } from "./attempt-limits.ts";
import { requirePassword } from "./password-changes.ts";

interface Parts {
  readonly database: Pick<Database, "sql">;
  readonly users: UserStore;
  readonly passwords: Passwords;
  readonly attempts: AttemptLimits;
  wakeRelay(): void;
}

const bytesOf = messageSize(UserSchema);

/** The RPC handlers of accounts. */
export function users(app: Parts): Handlers<typeof UserService> {
  const { sql } = app.database;

  /** Disables or enables an account. Sessions and links of a disabled account end in the same commit. */
  async function change(ctx: CallContext, id: string, kind: "DISABLED" | "ENABLED", decide: (user: User) => User) {
    const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
      const user = await lockUser(tx, id);
      if (user === undefined) throw new CallError(errors.USER_NOT_FOUND);
      const changed = decide(user);
      if (changed === user) return storedAnswerOf(user);
      await updateUser(tx, changed);
      if (kind === "DISABLED") {
        await endResets(tx, user.id);
        await endAddressChange(tx, user.id);
        await endAllSessions(tx, { userId: user.id, reason: "DISABLED" });
      }
      await publish(tx, publicationOf(changed, kind, ctx.traceparent));
      await recordAudit(tx, auditOf(ctx, { subject: subjectOf(user), changes: changesOf(user, changed) }));
      return storedAnswerOf(changed);
    });
    app.wakeRelay();
    return answer;
  }

  /**
   * Verifies the current password if the owner sent one, and returns its hash. Returns undefined if it is another
   * account or no password was sent.
   */
  async function verifyCurrentPassword(ctx: CallContext, { id, currentPassword }: UserChange) {
    if (currentPassword === undefined || !isOwner(id, ctx.caller)) return undefined;
    const found = await app.users.credentialsById(id);
    if (found === undefined) throw new CallError(errors.USER_NOT_FOUND);
    await requirePassword(app, found, currentPassword, ctx);
    return found.passwordHash;
  }

  return {
    async createUser({ email, name, password }, ctx) {
      // Checked before the expensive part. Between concurrent requests, only the insert decides.
      const isTaken = (await app.users.credentialsOf(email)) !== undefined;
      // Looks up the key after the address: a retry of this request may have just created the account.
      const earlier = await replay(sql, ctx.idempotencyKey);
      if (earlier !== undefined) return { user: storedMessageOf(earlier) };
      if (isTaken) throw emailTaken("email");
      const passwordHash = await app.passwords.hash(password, "sign-up", ctx);
      const user = openAccount({ id: uuidv7(), email, name, role: "CUSTOMER", at: ctx.now });
      const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
        if (!(await insertUser(tx, user, passwordHash))) throw emailTaken("email");
        const { id } = await insertConfirmation(tx, { userId: user.id, email });
        await publish(tx, publicationOf(user, "CREATED", ctx.traceparent, id));
        return storedAnswerOf(user);
      });
      app.wakeRelay();
      return { user: storedMessageOf(answer) };
    },

    async getUser({ id }, ctx) {
      requireOwner(ctx, id, errors.USER_NOT_FOUND);
      const user = await app.users.byId(id, { signal: cancelSignalOf(ctx) });
      if (user === undefined) throw new CallError(errors.USER_NOT_FOUND);
      return { user: messageOf(user) };
    },

    async listUsers(request) {
      const { messages, nextPageToken } = await page(request, {
        filter: {},
        sortKeys: [isUuid],
        read: ({ after, limit }) => app.users.list({ after: after?.[0], limit }),
        keysOf: ({ id }) => [id],
        messageOf,
        bytesOf,
      });
      return { users: messages, nextPageToken };
    },

    async updateUser({ user: values, updateMask }, ctx) {
      if (values === undefined) throw new CallError(callErrors.INVALID_REQUEST);
      requireOwner(ctx, values.id, errors.USER_NOT_FOUND);
      const { email, name } = values;
      const change = changeOf({ email, name, role: roleOf(values.role) }, updateMask?.paths ?? []);
      const earlier = await replay(sql, ctx.idempotencyKey);
      if (earlier !== undefined) return { user: storedMessageOf(earlier) };
      const verifiedHash = change.email === undefined ? undefined : await verifyCurrentPassword(ctx, values);
      const update = (countAddressChange: () => Promise<void>) =>
        once(sql, ctx.idempotencyKey, async (tx) => {
          const user = await lockUser(tx, values.id);
          if (user === undefined) throw new CallError(errors.USER_NOT_FOUND);
          if (needsPassword(user, change, ctx.caller)) {
            if (verifiedHash === undefined) throw currentPasswordRequired();
            // The password may have changed since it was verified.
            if (!(await hasPasswordHash(tx, user.id, verifiedHash))) throw new CallError(errors.CREDENTIALS_INVALID);
          }
          const changed = changeUser(user, change, ctx.caller, ctx.now);
          if (changed !== user) {
            const { pendingEmail } = changed;
            const isNew = pendingEmail !== undefined && pendingEmail !== user.pendingEmail;
            if (isNew) {
              if (await isTakenByAnother(tx, pendingEmail, user.id)) throw emailTaken("user.email");
              await countAddressChange();
            }
            if (!(await updateUser(tx, changed))) throw emailTaken("user.email");
            await publish(tx, publicationOf(changed, "UPDATED", ctx.traceparent));
            // A link is for one address: a link to an earlier one ends.
            if (pendingEmail !== user.pendingEmail) await endConfirmations(tx, user.id);
            if (isNew)
              await requestConfirmation(tx, { userId: user.id, email: pendingEmail, traceparent: ctx.traceparent });
            // Access tokens contain the role, so the tokens of a demoted admin must end. A promoted account must sign
            // in again, so that a stolen session does not gain the new role.
            if (changed.role !== user.role) await endAllSessions(tx, { userId: user.id, reason: "ROLE_CHANGED" });
            await recordAudit(tx, auditOf(ctx, { subject: subjectOf(user), changes: changesOf(user, changed) }));
          }
          return storedAnswerOf(changed);
        });
      const answer = await app.attempts.addressChange(values.id, update);
      app.wakeRelay();
      return { user: storedMessageOf(answer) };
    },

    async disableUser({ id }, ctx) {
      const answer = await change(ctx, id, "DISABLED", (user) => disableUser(user, ctx.caller, ctx.now));
      return { user: storedMessageOf(answer) };
    },

    async enableUser({ id }, ctx) {
      const answer = await change(ctx, id, "ENABLED", (user) => enableUser(user, ctx.now));
      return { user: storedMessageOf(answer) };
    },
  };
}

function subjectOf({ id }: User): string {
  return `user:${id}`;
}

/** The changes for the audit log, including what the service does in the same commit because of them. */
function changesOf(before: User, after: User): readonly AuditChange[] {
  const isDisabled = ({ disableTime }: User) => disableTime !== undefined;
  const changes = auditChanges(before, after, {
    // A requested address takes effect once it is confirmed.
    email: { personal: ({ email, pendingEmail }) => `${email} ${pendingEmail ?? ""}` },
    name: { personal: ({ name }) => name },
    role: ({ role }) => role,
    disabled: isDisabled,
  });
  const endsSessions = before.role !== after.role || (isDisabled(after) && !isDisabled(before));
  return endsSessions ? [...changes, { field: "sessions", after: "ENDED" }] : changes;
}

/** Maps to a role that an account can have. The contract accepts no other. */
function roleOf(role: Role | undefined): UserRole | undefined {
  if (role === Role.ADMIN) return "ADMIN";
  return role === Role.CUSTOMER ? "CUSTOMER" : undefined;
}
