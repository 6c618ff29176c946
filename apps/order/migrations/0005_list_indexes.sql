DROP INDEX IF EXISTS "order"."inbox_time";--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_entry_method" ON "order"."audit_entry" USING btree ("method","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_entry_method_actor" ON "order"."audit_entry" USING btree ("method","actor","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "inbox_subscription_time" ON "order"."inbox" USING btree ("subscription","time");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "inbox_pending_dead" ON "order"."inbox_pending" USING btree ("event_id","subscription") WHERE state = 'DEAD';--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "inbox_pending_dead_of_one" ON "order"."inbox_pending" USING btree ("subscription","event_id") WHERE state = 'DEAD';--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_status_user" ON "order"."orders" USING btree ("status","user_id","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_attention_user" ON "order"."orders" USING btree ("user_id","id") WHERE attention_reason is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_attention_status" ON "order"."orders" USING btree ("status","id") WHERE attention_reason is not null;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "orders_attention_status_user" ON "order"."orders" USING btree ("status","user_id","id") WHERE attention_reason is not null;--> statement-breakpoint
-- Rows of these leave as fast as they come: vacuumed by the fiftieth part of the table, not by the fifth.
ALTER TABLE "order"."idempotency" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "order"."outbox" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "order"."batch" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "order"."delivery" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "order"."inbox" SET (autovacuum_vacuum_scale_factor = 0.02);
