import type { CancelSignal } from "@rialto/async";
import { createRowLoader, type Database, type JsonValue, type Sql, type Transaction } from "@rialto/database";
import type { User } from "./state.ts";

/** An account with its password hash. */
export interface Credentials {
  readonly user: User;
  readonly passwordHash: string;
}

/**
 * Reads accounts. Changes are made by the functions below, in one transaction with the event and the idempotency key.
 */
export interface UserStore {
  /** Accounts that are asked for at the same moment travel in one statement. */
  byId(id: string, o?: { readonly signal?: CancelSignal }): Promise<User | undefined>;
  /** Ignores case. Returns undefined for an address that is not ASCII: no account has one. */
  credentialsOf(email: string): Promise<Credentials | undefined>;
  credentialsById(id: string): Promise<Credentials | undefined>;
  hasAdmin(): Promise<boolean>;
  /** The account with this address unconfirmed, or else the one that last requested to change to it. */
  unconfirmedOf(email: string): Promise<string | undefined>;
  /** Newest first. */
  list(page: { readonly limit: number; readonly after: string | undefined }): Promise<readonly User[]>;
}

/** Opens the store. */
export function createUserStore({ sql, freezesShared: freezes }: Pick<Database, "sql" | "freezesShared">): UserStore {
  const accounts = createRowLoader({ read: (ids) => readAccounts(sql, ids), idOf: ({ id }) => id, freezes });
  return {
    async byId(id, o) {
      const row = await accounts.load(id, o);
      return row && userOf(row);
    },

    async credentialsOf(email) {
      // Postgres lowercases "İ" to "i", JavaScript does not. With such spellings, one account would count as many in
      // the limits of logins and mails.
      if (!isAscii(email)) return undefined;
      return await readCredentials(sql, sql`lower(email) = lower(${email})`);
    },
    credentialsById: (id) => readCredentials(sql, sql`id = ${id}`),

    async hasAdmin() {
      const rows = await sql`select 1 from account where role = 'ADMIN' limit 1`;
      return rows.length > 0;
    },

    async unconfirmedOf(email) {
      if (!isAscii(email)) return undefined;
      const [row] = await sql<{ id: string }[]>`
        (select id, 0 as preference, update_time from account where lower(email) = lower(${email}) and email_confirm_time is null)
        union all
        (select id, 1, update_time from account
         where lower(pending_email) = lower(${email}) and pending_email is not null order by update_time desc limit 1)
        order by preference limit 1`;
      return row?.id;
    },

    async list({ limit, after }) {
      const rows = await sql<UserRow[]>`
        select ${columns(sql)} from account
        where true ${after === undefined ? sql`` : sql`and id < ${after}`}
        order by id desc limit ${limit}`;
      return rows.map(userOf);
    },
  };
}

/** Inserts an account. Returns false if another account has the address; waits for one that is just being inserted. */
export async function insertUser(tx: Transaction, user: User, passwordHash: string): Promise<boolean> {
  const { id, version, email, name, role, createTime, updateTime, emailConfirmTime = null } = user;
  const rows = await tx`
    insert into account (id, version, email, name, role, password_hash, create_time, update_time, email_confirm_time)
    values (${id}, ${version}, ${email}, ${name}, ${role}, ${passwordHash}, ${createTime}, ${updateTime}, ${emailConfirmTime})
    on conflict (lower(email)) do nothing returning 1`;
  return rows.length === 1;
}

/** Reads an account and locks it until the transaction ends. */
export async function lockUser(tx: Transaction, id: string): Promise<User | undefined> {
  const [row] = await tx<UserRow[]>`select ${columns(tx)} from account where id = ${id} for no key update`;
  return row && userOf(row);
}

/** Updates an account. Returns false if another account has the address. */
export async function updateUser(tx: Transaction, user: User): Promise<boolean> {
  const {
    id,
    version,
    email,
    name,
    role,
    updateTime,
    disableTime = null,
    emailConfirmTime = null,
    pendingEmail = null,
  } = user;
  try {
    await tx.savepoint(
      (inner) => inner`
        update account set version = ${version}, email = ${email}, name = ${name}, role = ${role}, update_time = ${updateTime},
               disable_time = ${disableTime}, email_confirm_time = ${emailConfirmTime}, pending_email = ${pendingEmail}
        where id = ${id}`,
    );
    return true;
  } catch (error) {
    if (isEmailTaken(error)) return false;
    throw error;
  }
}

/** Sets the password after a reset by mail, which also confirms the address. */
export async function setPasswordByMail(tx: Transaction, id: string, passwordHash: string, now: Date): Promise<void> {
  await tx`
    update account
    set password_hash = ${passwordHash}, update_time = ${now}, email_confirm_time = coalesce(email_confirm_time, ${now})
    where id = ${id}`;
}

/** Whether another account has the address. */
export async function isTakenByAnother(tx: Transaction, email: string, id: string): Promise<boolean> {
  const rows = await tx`select 1 from account where lower(email) = lower(${email}) and id <> ${id}`;
  return rows.length > 0;
}

/** Whether the account still has this password hash. The caller holds the lock on the account. */
export async function hasPasswordHash(tx: Transaction, id: string, passwordHash: string): Promise<boolean> {
  const rows = await tx`select 1 from account where id = ${id} and password_hash = ${passwordHash}`;
  return rows.length === 1;
}

/** Replaces the password hash `from`. Returns false if the account has another one by now. */
export async function replacePassword(
  tx: Transaction,
  id: string,
  o: { readonly from: string; readonly to: string; readonly now: Date },
): Promise<boolean> {
  const rows = await tx`
    update account set password_hash = ${o.to}, update_time = ${o.now} where id = ${id} and password_hash = ${o.from} returning 1`;
  return rows.length === 1;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function isEmailTaken(error: unknown): boolean {
  const { code, constraint_name } = Object(error) as Readonly<Record<string, JsonValue | undefined>>; // read by name only
  return code === "23505" && constraint_name === "account_email";
}

async function readCredentials(sql: Sql, condition: ReturnType<Sql>): Promise<Credentials | undefined> {
  const [row] = await sql<(UserRow & { password_hash: string })[]>`
    select ${columns(sql)}, password_hash from account where ${condition}`;
  return row && { user: userOf(row), passwordHash: row.password_hash };
}

function readAccounts(sql: Sql, ids: readonly string[]): Promise<readonly UserRow[]> {
  return sql<UserRow[]>`select ${columns(sql)} from account where id = any (${[...ids]}::uuid[])`;
}

interface UserRow {
  readonly id: string;
  readonly version: number;
  readonly email: string;
  readonly name: string;
  readonly role: User["role"];
  readonly create_time: Date;
  readonly update_time: Date;
  readonly disable_time: Date | null;
  readonly email_confirm_time: Date | null;
  readonly pending_email: string | null;
}

/** All columns except the password hash. */
function columns(sql: Sql | Transaction) {
  return sql`id, version, email, name, role, create_time, update_time, disable_time, email_confirm_time, pending_email`;
}

function userOf(row: UserRow): User {
  const { id, version, email, name, role, create_time: createTime, update_time: updateTime } = row;
  return {
    ...{ id, version, email, name, role, createTime, updateTime },
    disableTime: row.disable_time ?? undefined,
    emailConfirmTime: row.email_confirm_time ?? undefined,
    pendingEmail: row.pending_email ?? undefined,
  };
}
