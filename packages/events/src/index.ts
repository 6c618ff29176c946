export { inboxTables } from "./inbox-tables.ts";
export { outboxTables } from "./outbox-tables.ts";
