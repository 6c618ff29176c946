import { createRequire } from "node:module";

/**
 * What we use of Drizzle at run time. Its types are imported from where they are.
 *
 * Loaded as CommonJS, because Node reads the package.json of a package anew for each ES module in it, and the one of
 * drizzle-orm has 180 KB of exports: its 107 modules cost 800 ms of a start as ES modules, and 130 ms like this. One
 * value import of `drizzle-orm` elsewhere would load them both ways, which a test of the start forbids.
 */
const require = createRequire(import.meta.url);
const orm: typeof import("drizzle-orm") = require("drizzle-orm");
const core: typeof import("drizzle-orm/pg-core") = require("drizzle-orm/pg-core");
const driver: typeof import("drizzle-orm/postgres-js") = require("drizzle-orm/postgres-js");

export const { and, asc, desc, eq, getTableColumns, gt, inArray, isNotNull, sql } = orm;
export const {
  bigint,
  bigserial,
  boolean,
  check,
  customType,
  date,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} = core;
export const { drizzle } = driver;
