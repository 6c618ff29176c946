import { migrateAll, runTask } from "@rialto/service";
import { services } from "./services.ts";

// The step of a deployment that comes before its processes: roles, schemas and tables, made by the role of
// DATABASE_URL.
await runTask("migrate", ({ config, log }) => migrateAll(services, { config, log }));
