CREATE INDEX IF NOT EXISTS "audit_entry_method" ON "payment"."audit_entry" USING btree ("method","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_entry_method_actor" ON "payment"."audit_entry" USING btree ("method","actor","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "payment_attention_user" ON "payment"."payment" USING btree ("user_id","id") WHERE attention_reason is not null;--> statement-breakpoint
-- Rows of these leave as fast as they come: vacuumed by the fiftieth part of the table, not by the fifth.
ALTER TABLE "payment"."idempotency" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "payment"."outbox" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "payment"."batch" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "payment"."delivery" SET (autovacuum_vacuum_scale_factor = 0.02);
