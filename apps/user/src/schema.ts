import { auditTable, idempotencyTable, leaseTable } from "@rialto/database";
import { outboxTables } from "@rialto/events";
import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  customType,
  index,
  integer,
  pgSchema,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

const schema = pgSchema("user");

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const time = (name: string) => timestamp(name, { withTimezone: true });

/** A person or an admin. The hash of the password leaves this table for its comparison only. */
export const account = schema.table(
  "account",
  {
    id: uuid("id").primaryKey(),
    /** Counts the changes; it is the version of the account's events. */
    version: integer("version").notNull(),
    email: text("email").notNull(),
    name: text("name").notNull(),
    role: text("role").notNull(),
    passwordHash: text("password_hash").notNull(),
    createTime: time("create_time").notNull(),
    updateTime: time("update_time").notNull(),
    /** Since when nobody can sign in; null where somebody can. */
    disableTime: time("disable_time"),
    /** Since when it is known that the address reaches its owner; null until then. */
    emailConfirmTime: time("email_confirm_time"),
    /** The address that the account gets when that is confirmed; null where it is to get none. */
    pendingEmail: text("pending_email"),
  },
  (table) => [
    index("account_pending_email").on(sql`lower(pending_email)`).where(sql`pending_email is not null`),
    // An address is ASCII (the contract's rule), so this is what "without regard to case" means in every locale.
    uniqueIndex("account_email").on(sql`lower(email)`),
    index("account_admin").on(table.id).where(sql`role = 'ADMIN'`),
    check("account_role", sql`role in ('CUSTOMER', 'ADMIN')`),
  ],
);

/** What a login opened. Its refresh tokens are a family: they end together. */
export const session = schema.table(
  "session",
  {
    id: uuid("id").primaryKey(),
    accountId: uuid("account_id")
      .notNull()
      .references(() => account.id),
    createTime: time("create_time").notNull(),
    /** When its newest refresh token expires. */
    expireTime: time("expire_time").notNull(),
    endTime: time("end_time"),
    endReason: text("end_reason"),
  },
  (table) => [
    index("session_account").on(table.accountId),
    index("session_expire").on(table.expireTime),
    // In the order in which the list of ended sessions is read.
    index("session_ended").on(table.endTime, table.id).where(sql`end_time is not null`),
    check(
      "session_end",
      sql`(end_time is null) = (end_reason is null) and end_reason in ('LOGOUT', 'TOKEN_REUSED', 'LOGOUT_ALL', 'PASSWORD_CHANGED', 'DISABLED', 'ROLE_CHANGED')`,
    ),
  ],
);

/** Refresh tokens by their SHA-256: who reads this table can refresh nothing. */
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
    /** The token that was given for this one. */
    successor: bytea("successor"),
    /** It is known as ours without this row (refresh-tokens.ts), so the row can go soon after it was spent. Not so for those of version 0.1.0. */
    isSigned: boolean("is_signed").notNull().default(false),
  },
  (table) => [
    index("refresh_token_spent").on(table.spendTime).where(sql`is_signed and spend_time is not null`),
    index("refresh_token_session").on(table.sessionId),
    check("refresh_token_successor", sql`successor is null or spend_time is not null`),
  ],
);

/** Requests to set a new password. The token of the mail is kept as its SHA-256, from when the mail is sent until it is used. */
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

/** Wishes to have an address confirmed. The token of the mail is kept as its SHA-256, from when the mail is sent. */
export const emailConfirmation = schema.table(
  "email_confirmation",
  {
    id: uuid("id").primaryKey(),
    accountId: uuid("account_id")
      .notNull()
      .references(() => account.id),
    /** The address that the mail goes to, and that the token confirms. */
    email: text("email").notNull(),
    /** The address that the account had before this one took effect. */
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
 * From when on gateways name people to services by tokens of their own and pass no access token on. One row, which the migration writes: at once in
 * a new database, and a day after the migration where accounts were there before, while services of version 0.1.0 may still run.
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
