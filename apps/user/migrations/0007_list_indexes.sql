CREATE INDEX IF NOT EXISTS "audit_entry_method" ON "user"."audit_entry" USING btree ("method","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_entry_method_actor" ON "user"."audit_entry" USING btree ("method","actor","id");--> statement-breakpoint
-- Rows of these leave as fast as they come: vacuumed by the fiftieth part of the table, not by the fifth.
ALTER TABLE "user"."idempotency" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "user"."outbox" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "user"."batch" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "user"."delivery" SET (autovacuum_vacuum_scale_factor = 0.02);
