import { auditTable, idempotencyTable, leaseTable } from "@rialto/database";
import {
  boolean,
  check,
  customType,
  index,
  integer,
  pgSchema,
  sql,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "@rialto/database/drizzle";
import { outboxTables } from "@rialto/events";

const schema = pgSchema("user");

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const time = (name: string) => timestamp(name, { withTimezone: true });

/** A customer's or admin's account. The password hash leaves this table only to be compared. */
export const account = schema.table(
  "account",
  {
    id: uuid("id").primaryKey(),
    /** The number of changes, which is the version of the account's events. */
    version: integer("version").notNull(),
    email: text("email").notNull(),
    name: text("name").notNull(),
    role: text("role").notNull(),
    passwordHash: text("password_hash").notNull(),
    createTime: time("create_time").notNull(),
    updateTime: time("update_time").notNull(),
    /** When the account was disabled; null if it is enabled. */
    disableTime: time("disable_time"),
    /** When the address was confirmed; null if it was not. */
    emailConfirmTime: time("email_confirm_time"),
    /** The address that takes effect once it is confirmed; null if there is none. */
    pendingEmail: text("pending_email"),
  },
  (table) => [
    index("account_pending_email").on(sql`lower(pending_email)`).where(sql`pending_email is not null`),
    // Addresses are ASCII by the contract's rule, so lower() is the same in every locale.
    uniqueIndex("account_email").on(sql`lower(email)`),
    index("account_admin").on(table.id).where(sql`role = 'ADMIN'`),
    check("account_role", sql`role in ('CUSTOMER', 'ADMIN')`),
  ],
);

/** A session, opened by a login. Its refresh tokens are one family and end together. */
export const session = schema.table(
  "session",
  {
    id: uuid("id").primaryKey(),
    accountId: uuid("account_id")
      .notNull()
      .references(() => account.id),
    createTime: time("create_time").notNull(),
    /** The expiry of the newest refresh token. */
    expireTime: time("expire_time").notNull(),
    endTime: time("end_time"),
    endReason: text("end_reason"),
  },
  (table) => [
    index("session_account").on(table.accountId),
    index("session_expire").on(table.expireTime),
    // In the order of the list of ended sessions.
    index("session_ended").on(table.endTime, table.id).where(sql`end_time is not null`),
    check(
      "session_end",
      sql`(end_time is null) = (end_reason is null) and end_reason in ('LOGOUT', 'TOKEN_REUSED', 'LOGOUT_ALL', 'PASSWORD_CHANGED', 'DISABLED', 'ROLE_CHANGED')`,
    ),
  ],
);

/** Refresh tokens by their SHA-256, so that a reader of this table cannot use them. */
export const refreshToken = schema.table(
  "refresh_token",
  {
    hash: bytea("hash").primaryKey(),
    sessionId: uuid("session_id")
      .notNull()
      .references(() => session.id, { onDelete: "cascade" }),
    createTime: time("create_time").notNull(),
    expireTime: time("expire_time").notNull(),
    spendTime: time("spend_time"),
    /** The token that was issued for this one. */
    successor: bytea("successor"),
    /**
     * Signed tokens are recognized without their row (refresh-tokens.ts), so the row can be deleted soon after the
     * token was redeemed. Tokens of version 0.1.0 are not signed.
     */
    isSigned: boolean("is_signed").notNull().default(false),
  },
  (table) => [
    index("refresh_token_spent").on(table.spendTime).where(sql`is_signed and spend_time is not null`),
    index("refresh_token_session").on(table.sessionId),
    check("refresh_token_successor", sql`successor is null or spend_time is not null`),
  ],
);

/**
 * Password resets. The SHA-256 of the token in the mail is stored from the time the mail is sent until the token is
 * redeemed.
 */
export const passwordReset = schema.table(
  "password_reset",
  {
    id: uuid("id").primaryKey(),
    accountId: uuid("account_id")
      .notNull()
      .references(() => account.id),
    tokenHash: bytea("token_hash"),
    createTime: time("create_time").notNull(),
    expireTime: time("expire_time").notNull(),
    useTime: time("use_time"),
  },
  (table) => [
    uniqueIndex("password_reset_token").on(table.tokenHash),
    index("password_reset_account").on(table.accountId),
    index("password_reset_expire").on(table.expireTime),
  ],
);

/** E-mail confirmations. The SHA-256 of the token in the mail is stored from the time the mail is sent. */
export const emailConfirmation = schema.table(
  "email_confirmation",
  {
    id: uuid("id").primaryKey(),
    accountId: uuid("account_id")
      .notNull()
      .references(() => account.id),
    /** The address that the mail is sent to and that the token confirms. */
    email: text("email").notNull(),
    /** The address of the account before this one took effect. */
    previousEmail: text("previous_email"),
    tokenHash: bytea("token_hash"),
    createTime: time("create_time").notNull(),
    expireTime: time("expire_time").notNull(),
    useTime: time("use_time"),
  },
  (table) => [
    uniqueIndex("email_confirmation_token").on(table.tokenHash),
    index("email_confirmation_account").on(table.accountId),
    index("email_confirmation_expire").on(table.expireTime),
  ],
);

export const auditEntry = auditTable(schema);

/**
 * From when gateways send their own tokens to services instead of passing access tokens on. The migration writes the
 * only row: now in a new database, and a day later in one with accounts, while services of version 0.1.0 may still run.
 */
export const gatewayToken = schema.table(
  "gateway_token",
  {
    oneRow: boolean("one_row").primaryKey().default(true),
    startTime: time("start_time").notNull(),
  },
  () => [check("gateway_token_one_row", sql`one_row`)],
);

export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);
